package sandbox

import (
	"reflect"
	"testing"
)

func TestVirtualPOSUpdate(t *testing.T) {
	p := &VirtualPOS{APIKey: "k"}
	c := serve(t, p)
	c.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root>"
	c.want("POST", "/api/customer/update?apikey=x", "", 200, head+"<success>0</success><info>Неверный apikey</info></root>")
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1", "fname=Anna", 200, "~<success>0</success>") // no leave to create
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1&create_if_not_exist=1", "fname=Anna+%26&group_name=VIP&custom_information=v1", 200, head+"<success>1</success><id>1</id><isnew>1</isnew></root>")
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1&create_if_not_exist=1&format=json", "lname=X&fname=&custom_information=v2", 200, `{"success":1,"id":1,"isnew":0}`)
	c.want("POST", "/api/customer/update?apikey=k&create_if_not_exist=1", "external_id=c1", 200, "~<isnew>1</isnew>") // get only: not seen in the form
	c.want("GET", "/api/customer?apikey=k&format=json&external_id=c1", "", 200, `~"group_id":"1","group_name":"VIP"`)
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1", "group_name=", 200, "~<success>1</success>") // no name is given
	c.want("GET", "/api/customer?apikey=k&format=json&external_id=c1", "", 200, `~"group_id":"1","group_name":"VIP"`)
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1", "group_id=&group_name=", 200, "~<success>1</success>")
	c.want("GET", "/api/customer?apikey=k&format=json&external_id=c1", "", 200, `~"group_id":"","group_name":""`)
	c.want("GET", "/api/customer?apikey=k&external_id=c1", "", 200, "~<count>1</count><customers><customer><id>1</id><fname/><lname>X</lname><mname/>")
	c.want("GET", "/api/customer?apikey=k&page=2&page_size=1", "", 200, "~<page>2</page><page_size>1</page_size><total_count>2</total_count>")
	for form, want := range map[string]string{
		"age=24": "age", "gender=male": "gender", "birth_day=32": "дата", "birth_month=x": "дата", "send_sms=maybe": "подписки", "register_date=2016-07-18": "register_date",
	} {
		c.want("POST", "/api/customer/update?apikey=k&external_id=c1", form, 200, "~"+want)
	}
	p.Change(func() {
		p.Switches = VirtualPOSSwitches{StatusCodes: true, IgnoreAge: true, StringNumbers: true, RefuseForeign: true}
	})
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1&format=json", "age=24", 200, `{"success":"1","id":"1","isnew":"0"}`)
	c.want("POST", "/api/customer/update?apikey=k&external_id=c9", "fname=A", 404, "~не найден")
	c.want("POST", "/api/customer/update?apikey=k", "external_id=c1", 400, "~get")
	c.want("GET", "/api/nothing?apikey=k", "", 404, "~<success>0</success>")
	held, _ := p.Book().Held("c1")
	if len(held.Records) != 1 || !reflect.DeepEqual(held.Versions, []int64{1, 2}) {
		t.Errorf("held: got %v, want one record at versions 1 and 2", held)
	}
}

func TestVirtualPOSCardsAndBonuses(t *testing.T) {
	p := &VirtualPOS{}
	c := serve(t, p)
	c.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	c.want("POST", "/api/customer/update?apikey=k&external_id=c1&create_if_not_exist=1", "fname=Anna", 200, "~<success>1")
	card := "/api/customer/updateCard?apikey=k&format=json&uid=77&external_id=card-1"
	c.want("POST", card, "status=ACTIVE", 200, `~"success":0`)
	c.want("POST", card+"&create_if_not_exist=1", "status=ACTIVE&medium=APP&customer_external_id=c1", 200, `{"success":1,"id":1,"isnew":1}`)
	c.want("POST", card+"&create_if_not_exist=1", "status=BLOCKED", 200, `{"success":1,"id":1,"isnew":0}`)
	c.want("POST", card, "status=LOST", 200, `~"success":0`)
	c.want("POST", card, "medium=PAPER", 200, `~"success":0`)
	c.want("POST", card, "customer_external_id=nobody", 200, `~"success":0`)
	c.want("POST", "/api/customer/insertCard?apikey=k&format=json&uid=77", "", 200, `~"success":0`)
	if got := p.Cards("c1"); len(got) != 1 || got[0]["status"] != "BLOCKED" || got[0]["medium"] != "APP" {
		t.Errorf("cards: got %v, want one, blocked", got)
	}
	bonus := "/api/customer/updateBonus?apikey=k&format=json"
	c.want("POST", bonus, "customer_external_id=c1&bonus_id=1&amount=10", 200, `~"success":1`)
	c.want("POST", bonus, "customer_external_id=c1&bonus_id=1&amount=10", 200, `~"success":1`) // added: not to be repeated
	c.want("POST", bonus, "customer_external_id=c1&bonus_id=2&amount=7&overwrite=true", 200, `~"success":1`)
	c.want("POST", bonus, "customer_external_id=c1&bonus_id=2&amount=7&overwrite=true", 200, `~"success":1`)
	c.want("POST", bonus, "customer_external_id=c1&amount=7", 200, `~bonus_id`)
	c.want("POST", bonus, "bonus_id=1&amount=7", 200, `~не найден`)
	if got, want := p.Bonuses("c1"), map[string]float64{"1": 20, "2": 7}; !reflect.DeepEqual(got, want) {
		t.Errorf("bonuses: got %v, want %v", got, want)
	}
	c.want("GET", "/api/customer?apikey=k&format=json&cards=true&bonuses=true", "", 200, `~"bonuses":[{"bonus_id":"1","amount":20},{"bonus_id":"2","amount":7}]`)
	c.want("GET", "/api/customer/deleteCard?apikey=k&format=json&external_id=card-1", "", 200, `~"success":1`)
	c.want("GET", "/api/customer/deleteCard?apikey=k&format=json&external_id=card-1", "", 200, `~"success":0`)
}

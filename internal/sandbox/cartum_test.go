package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const cartumSample = `[
    {"title": "Ivanov Ivan", "email": "ivan@mail.net", "phone": "+380631234567", "country": "Ukraine", "city": "Kyiv", "address": "Khreschatyk St, 22",
     "discount_card": {"discount": 3, "active": true, "date_limit": "2019-01-01", "status": 1}},
    {"title": "Ivanova Elena", "email": "elena@mail.net", "phone": "+380631234567"},
    {"email": "some@email"}]`

func token(t *testing.T, c *caller) string {
	t.Helper()
	_, text := c.call("POST", "/api/auth/", `{"login":"l","password":"p"}`)
	_, rest, ok := strings.Cut(text, `"token":"`)
	if !ok || len(rest) < 32 {
		t.Fatalf("login: got %s", text)
	}
	return rest[:32]
}

func TestCartumImport(t *testing.T) {
	const bad = `~"info":[{"code":`
	for _, test := range []struct {
		name     string
		users    string
		switches CartumSwitches
		want     string
	}{
		{"published sample", cartumSample, CartumSwitches{},
			`{"status":"WARNING","response":{"log":[{"info":[{"code":0,"message":"User ivan@mail.net update completed successfully!"}]},` +
				`{"info":[{"code":0,"message":"User elena@mail.net update completed successfully!"}]},` +
				`{"info":[{"code":1,"message":"The email field (some@email) is set incorrectly!"}]}]}}`},
		{"flat and russian", cartumSample, CartumSwitches{FlatLog: true, Russian: true},
			`~{"code":1,"message":"Поле email (some@email) задано некорректно!"}]}}`},
		{"no log", `[{"email":"a@example.com","title":"A"}]`, CartumSwitches{NoLogWhenOK: true}, `{"status":"OK","response":{}}`},
		{"no title", `[{"email":"a@example.com"}]`, CartumSwitches{}, bad + "1,"},
		{"no mail", `[{"title":"A"}]`, CartumSwitches{}, bad + "1,"},
		{"bad mail", `[{"title":"A","email":"a"}]`, CartumSwitches{}, bad + "2,"},
		{"bad phone", `[{"title":"A","email":"a@example.com","phone":"0631234567"}]`, CartumSwitches{}, bad + "2,"},
		{"bad discount", `[{"title":"A","email":"a@example.com","discount_card":{"status":4}}]`, CartumSwitches{}, bad + "2,"},
		{"bad date", `[{"title":"A","email":"a@example.com","discount_card":{"date_limit":"1.1.2019"}}]`, CartumSwitches{}, bad + "2,"},
		{"all fail", `[{"title":"A"}]`, CartumSwitches{ErrorWhenNone: true}, `~"status":"ERROR"`},
		{"twins", `[{"title":"A","email":"a@example.com"},{"title":"B","email":"A@example.com"}]`, CartumSwitches{RefuseTwins: true}, bad + "2,"},
		{"nobody", `[]`, CartumSwitches{}, `~"status":"EMPTY"`},
		{"undefined", `[]`, CartumSwitches{UndefinedImport: true}, `{"status":"UNDEFINED_FUNCTION","response":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, &Cartum{Switches: test.switches})
			c.want("POST", "/api/users/import/", `{"token":"`+token(t, c)+`","users":`+test.users+`}`, 200, test.want)
		})
	}
}

func TestCartumSession(t *testing.T) {
	p := &Cartum{Login: "l", Password: "p"}
	c := serve(t, p)
	c.want("POST", "/api/auth/", `{"login":"l","password":"x"}`, 200, `~"status":"ERROR"`)
	c.want("POST", "/api/auth", `{"login":"l","password":"p"}`, 301, "")
	c.want("POST", "/api/users/import/", `{"token":"x","users":[]}`, 200, `~"status":"UNAUTHORIZED"`)
	c.want("POST", "/api/users/import/", `token=x`, 200, `~"status":"HTTP_ERROR"`)
	first := token(t, c)
	body := `{"token":"` + first + `","users":[{"title":"A","email":"a@example.com"}]}`
	c.want("POST", "/api/users/import/", body, 200, `~"status":"OK"`)
	p.Advance(599 * time.Second)
	c.want("POST", "/api/users/import/", body, 200, `~"status":"OK"`)
	p.Advance(2 * time.Second)
	c.want("POST", "/api/users/import/", body, 200, `~"status":"UNAUTHORIZED"`)
	p.Change(func() { p.Switches.Unauthorized401 = true })
	c.want("POST", "/api/users/import/", body, 401, `~"status":"UNAUTHORIZED"`)
	p.Change(func() { p.Switches = CartumSwitches{OneToken: true, TokenError: true} })
	first = token(t, c)
	token(t, c)
	c.want("POST", "/api/users/import/", `{"token":"`+first+`","users":[]}`, 200, `~token`)
}

func TestCartumKeepsOneUserPerAddress(t *testing.T) {
	p := &Cartum{}
	c := serve(t, p)
	c.want("POST", "/api/users/export/", `{"token":"`+token(t, c)+`"}`, 200, `~"status":"EMPTY"`)
	for _, user := range []string{
		`{"title":"A","email":"A@example.com","phone":"+380631234567","note":"v1"}`,
		`{"title":"B","email":"a@example.com","note":"v3"}`,
		`{"title":"C","email":"a@example.com","note":"v2"}`,
	} {
		c.want("POST", "/api/users/import/", `{"token":"`+token(t, c)+`","users":[`+user+`]}`, 200, `~"code":0`)
	}
	held, _ := p.Book().Held("a@example.com")
	if len(held.Records) != 1 || string(held.Records[0].Fields["phone"]) != `"+380631234567"` || string(held.Records[0].Fields["title"]) != `"C"` {
		t.Errorf("held: got %v, want one user with the first phone and the last title", held.Records)
	}
	if got := p.Book().Counters().BackSteps; got != 1 {
		t.Errorf("steps back: got %d, want 1", got)
	}
	c.want("POST", "/api/users/export/", `{"token":"`+token(t, c)+`","limit":1}`, 200, `~"users":[{`)
	c.want("POST", "/api/users/export/", `{"token":"`+token(t, c)+`","limit":1,"offset":1}`, 200, `~"status":"EMPTY"`)
}

func TestCartumBehindABotFilter(t *testing.T) {
	p := &Cartum{Switches: CartumSwitches{BotFilter: true}}
	c := serve(t, p)
	c.want("POST", "/api/auth/", `{}`, http.StatusOK, "~<!DOCTYPE html>")
	c.header = map[string]string{"User-Agent": "Mozilla/5.0"}
	token(t, c)
}

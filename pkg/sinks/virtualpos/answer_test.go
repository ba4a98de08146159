package virtualpos

import (
	"encoding/json"
	"encoding/xml"
	"testing"
)

// Whatever VirtualPOS answers: it is read from a whole document of either format
// only, and success is never made of anything but a word of success.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0" encoding="UTF-8"?><root><success>1</success><id>11</id><isnew>1</isnew></root>`,
		`<root><success>0</success><info>odd &amp; late</info></root>`,
		`<root><success>1</success><customers><customer><id>1</id><cards><card><external_id>card-1</external_id><uid/></card></cards></customer></customers></root>`,
		`{"success":1,"id":"11","isnew":0}`, `{"success":true,"customers":[{"id":1,"cards":[{"uid":29}]}]}`,
		`{"success":"1","customers":{"customer":{"id":1,"cards":{"card":[{"external_id":"x"}]}}}}`,
		`<!DOCTYPE html><html><success>1</success></html>`, `<root><success>1`, `<a/><b/>`, `[]`, `{`, ``, `success=1`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		root, ok := readTree(body)
		if !ok {
			return
		}
		if !json.Valid(body) && xml.Unmarshal(body, new(struct{})) != nil {
			t.Fatal("read what is neither XML nor JSON")
		}
		r := readReply(root)
		if r.success && !r.said {
			t.Error("success without a word of it")
		}
		for _, id := range []string{"", "1"} {
			listed := r.customer(id)
			if listed != nil && id != "" && listed.value("id") != id {
				t.Error("another customer")
			}
			listed.child(cardList).items()
		}
	})
}

package integration

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a person sees seldom: a letter that another one replaced, letters in doubt, a
// replay that somebody stopped and left, streams that are not those of before.
func TestConsoleRareCases(t *testing.T) {
	b := openBrowser(t)
	s := set(t, "")
	all := t // whose worker it is

	t.Run("a later letter comes while one is looked at", func(t *testing.T) {
		version := 0
		invalid := func(phone string) {
			version++
			s.publish(t, fmt.Sprintf(`{"id":"watched","version":%d,"phone":%q,"last_name":"Шевченко"}`+"\n", version, phone))
		}
		b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
			p.signIn()
			invalid("call me")
			s.dead(t, 1)
			p.open("letter/calls/acme/watched")
			p.see(fmt.Sprintf("version %d", version))
			invalid("call him")
			p.see(fmt.Sprintf("version %d", version)) // nothing is typed: it is shown at once
			p.write("#field-phone", "+48221234567")
			p.see("Would be sent")
			invalid("call her")
			p.see("A later letter has come")
			p.holds()
			p.shoot("letter-later")
			p.click("#replay", "Mend and replay")
			p.see("a later one has come since")
			p.expect("404")
			p.see(fmt.Sprintf("version %d", version))
			p.wait("what was typed", `document.querySelector("#field-phone").value === "+48221234567"`)
			p.see("Would be sent")
			p.click("#replay", "Mend and replay")
			p.wait("its end", `document.querySelector("#fate.good")?.innerText.includes("Delivered")`)
			// Reloaded, the page says that the letter is no more.
			p.open("letter/calls/acme/watched")
			p.see("This letter is not open")
			p.expect("404")
			p.holds()
			p.shoot("letter-gone")
		})
	})

	t.Run("a replay that was stopped goes on among the actions", func(t *testing.T) {
		const many = 300
		var lines bytes.Buffer
		for i := range many {
			fmt.Fprintf(&lines, `{"id":"s%03d","version":1,"phone":"call me","last_name":"Шевченко"}`+"\n", i)
		}
		s.publish(t, lines.String())
		s.dead(t, many)
		b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
			p.signIn()
			p.open("letters")
			p.see("300 dead letters")
			p.click(".top button", "Replay")
			p.write(`dialog input[type="number"]`, "100")
			p.wait("the preview", `document.querySelector(".counts")?.innerText.includes("300")`)
			p.click("dialog footer button", "Replay 300 letters")
			p.wait("some progress", `parseInt(document.querySelector("dialog .body p")?.innerText.match(/\d+/)?.[0]) > 0`)
			p.click("dialog footer button", "Stop")
			p.see("Stopped.")
			p.click("dialog footer button", "Close")
			p.open("actions?verb=replayed")
			p.see("when it was cut short")
			p.holds()
			p.shoot("actions-go-on")
			p.click(".deeds button", "Go on")
			p.see("more letters queued")
			p.wait("no button", `document.querySelectorAll(".deeds button").length === 0`)
		})
		s.dead(t, many) // their phones are what they were
	})

	t.Run("letters in doubt are warned of", func(t *testing.T) {
		pay := standin{strings.Replace(s.provider.url, "/thulium", "/ecomcharge", 1)}
		if err := pay.fail(t.Context(), `[{"kind":"reset","applied":true,"method":"POST"}]`); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := pay.fail(context.WithoutCancel(t.Context()), ""); err != nil {
				t.Error(err)
			}
		}()
		s.stop(t)
		s.add(t, `  - name: pay
    provider: ecomcharge
    url: `+pay.url+`
    auth: {shop_id: test, secret_key: test}
    timeout: 500ms
    retry: {initial: 100ms, max: 200ms, max_attempts: 2}
`)
		s.start(all)
		s.publish(t, `{"id":"payer","version":1,"email":"payer@example.com","ip":"192.0.2.1","first_name":"Łucja","last_name":"Шевченко","phone":"+48221234567","address":{"street":"Krótka","city":"Łódź","country":"PL","postcode":"90-001"}}`+"\n")
		err := eventually(t.Context(), func(context.Context) error {
			var list struct {
				Letters []struct{ Reason string } `json:"deadletters"`
			}
			if ask(t, s.url+"api/v1/deadletters?destination=pay&customer=payer", secret, &list); len(list.Letters) == 0 || list.Letters[0].Reason != "in_doubt" {
				return fmt.Errorf("got %v, want a letter in doubt", list.Letters)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{deskWidth, phoneWidth} {
			b.flow(t, s.url, width, deskHeight, func(p *tab) {
				p.signIn()
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					p.open("letters?destination=pay")
					p.click(".top button", "Replay")
					p.see("1 letter in doubt.")
					p.see("says that you have looked there")
					p.holds()
					p.shoot(fmt.Sprintf("bulk-doubt-%d-%s", width, scheme))
					p.press(kb.Escape)
					p.open("letter/pay/acme/payer")
					p.see("an answer got lost")
					p.see("look there first")
					p.holds()
					p.shoot(fmt.Sprintf("letter-doubt-%d-%s", width, scheme))
				}
			})
		}
	})

	t.Run("streams that are not those of before are accepted", func(t *testing.T) {
		s.stop(t)
		s.start(all)
		nc, err := nats.Connect(s.nats)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		ledger, err := js.Stream(t.Context(), "KV_LEDGER")
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.stop(t)
		s.start(all)
		for _, width := range []int64{phoneWidth, deskWidth} {
			b.flow(t, s.url, width, deskHeight, func(p *tab) {
				p.signIn()
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					p.open("")
					p.see("blocked and need a person")
					p.holds()
					p.shoot(fmt.Sprintf("overview-foreign-%d-%s", width, scheme))
					p.click(".lane button", "Try now")
					p.see("Go on with what is there at")
					p.see("was emptied")
					p.wait("a button that waits for the reason", `document.querySelector("dialog footer .main").disabled`)
					p.holds()
					p.shoot(fmt.Sprintf("accept-%d-%s", width, scheme))
					p.press(kb.Escape)
					p.expect("409")
				}
			})
		}
		b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
			p.signIn()
			p.open("")
			p.wait("the destinations", `document.querySelectorAll(".lane").length === 2`)
			for _, name := range []string{"calls", "pay"} {
				if !eval[bool](p, `document.querySelector("h1").innerText.includes(`+quoted(name)+`)`) {
					continue // an earlier try was cut short
				}
				p.click(".lane button", "Try now")
				p.see("Go on with what is there at " + name)
				p.enter("the provider was emptied, too")
				p.click("dialog footer button", "Accept and go on")
				p.see(name + " goes on, and reads all customers anew")
				p.expect("409")
				p.wait("that it is blocked no more", `!document.querySelector("h1").innerText.includes(`+quoted(name)+`)`)
			}
			p.wait("that both run", `document.querySelectorAll(".lane .state.good").length === 2`)
			p.open("actions?verb=accept")
			p.see("accepted other streams for")
			p.see("“the provider was emptied, too”")
			p.holds()
		})
	})
}

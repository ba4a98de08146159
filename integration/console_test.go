package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// What a desk and a phone show.
const (
	deskWidth, deskHeight   = 1280, 860
	phoneWidth, phoneHeight = 360, 740
)

// TestConsole goes through the console of a demo that has settled.
func TestConsole(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir() // its own folder goes with this one, however it ends
	demo, err := launch("demo", dir, append(os.Environ(), "TMPDIR="+dir), bin+"/worker", "demo", "--customers", "600")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(demo.kill)
	said, err := demo.says(t.Context(), `It adds up[\s\S]* the console +(http://\S+)`)
	if err != nil {
		t.Fatalf("%v\n%s", err, &demo.out)
	}
	url := said[1]

	t.Run("mend the phone of a group's letter and see it delivered", func(t *testing.T) {
		b.flow(t, url, deskWidth, deskHeight, func(p *tab) {
			p.open("")
			p.see("dead letters")
			p.click(".nav a", "Dead letters")
			p.click("a.group", "must begin with + and the country code")
			p.listed("+ and the country code")
			p.click(".letter", "phone")
			p.see("Why it was not sent")
			customer := eval[string](p, `document.querySelector("h1 .mono").innerText`)
			p.write("#field-phone", "555")
			p.see("Still invalid")
			p.write("#field-phone", "+48221234567")
			p.see("Would be sent")
			p.wait("the row with the phone", `document.querySelector(".outcome .l.new")?.innerText.includes("phone")`)
			p.shoot("letter-mended")
			p.click("#replay", "Mend and replay")
			p.wait("the question who it is", `document.querySelector("dialog, #fate")`)
			if eval[bool](p, `Boolean(document.querySelector("dialog"))`) { // an earlier try may have said it
				p.see("Who are you?")
				p.enter("Łucja Шевченко")
				p.press(kb.Enter)
			}
			p.wait("its end", `document.querySelector("#fate.good")?.innerText.includes("Delivered")`)
			p.shoot("letter-delivered")
			p.click(".top a", "Customer")
			p.wait("that cartum has it", `[...document.querySelectorAll(".places li")].some((e) => e.innerText.includes("cartum") && e.innerText.includes("in step"))`)
			p.open("actions")
			p.wait("both actions", `["mended", "replayed"].every((verb) => [...document.querySelectorAll(".deeds li")].some((e) => e.innerText.includes("Łucja Шевченко " + verb) && e.innerText.includes(`+quoted(customer)+`)))`)
		})
	})

	t.Run("keyboard alone", func(t *testing.T) {
		b.flow(t, url, deskWidth, deskHeight, func(p *tab) {
			p.named()
			p.open("")
			p.press("?")
			p.see("Keyboard")
			p.press(kb.Escape)
			p.wait("the help's end", `!document.querySelector("dialog")`)
			p.press("gd")
			p.see("must begin with + and the country code")
			// To the causes by Tab, through all that stands before them.
			for range 40 {
				if eval[bool](p, `document.activeElement.innerText?.includes("must begin with + and") ?? false`) {
					break
				}
				p.press(kb.Tab)
				if !eval[bool](p, `(() => { const s = getComputedStyle(document.activeElement); return document.activeElement === document.body || s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2; })()`) && p.err == nil {
					p.err = fmt.Errorf("nothing shows that %s has the focus", eval[string](p, `document.activeElement.outerHTML.slice(0, 120)`))
				}
			}
			p.press(kb.Enter)
			p.listed("+ and the country code")
			p.press("jj")
			p.wait("the second letter", `document.querySelector('.letter[aria-selected="true"]')?.getAttribute("aria-posinset") === "2"`)
			p.press(kb.Enter)
			p.see("Why it was not sent")
			p.press("e")
			p.wait("the phone's field", `document.activeElement.id === "field-phone"`)
			p.enter("+48221234568")
			p.see("Would be sent")
			p.press(kb.Enter)
			p.wait("its end", `document.querySelector("#fate.good")?.innerText.includes("Delivered")`)
			p.press("j")
			p.wait("the next letter", `document.querySelector("#field-phone") && !document.querySelector("#fate")`)
			p.press("d")
			p.see("Discard this letter?")
			p.enter("a test")
			p.press(kb.Enter)
			p.see("is discarded")
			p.press("ga")
			p.see("“a test”")
			p.click(".deeds button", "Undo")
			p.see("Open the letter again?")
			p.press(kb.Enter)
			p.see("The letter is open again")
		})
	})

	t.Run("personal fields stay masked until somebody asks", func(t *testing.T) {
		b.flow(t, url, deskWidth, deskHeight, func(p *tab) {
			p.named()
			p.open("letters?destination=thulium&reason=invalid")
			p.click(".letter", "phone_number")
			p.see("personal fields masked")
			masked := eval[string](p, `document.querySelector(".pair .json").innerText`)
			if p.err == nil && !strings.Contains(masked, "@") || strings.Contains(masked, "example.com") {
				p.err = fmt.Errorf("got a row that is not masked: %s", masked)
			}
			p.press("m")
			p.see("This is recorded")
			p.wait("the mail address", `/@example\.(com|org|net)/.test(document.querySelector(".pair .json").innerText)`)
			p.open("actions?verb=unmask")
			p.see("looked at personal fields of")
		})
	})

	t.Run("pause and resume", func(t *testing.T) {
		b.flow(t, url, deskWidth, deskHeight, func(p *tab) {
			p.named()
			p.open("")
			p.see("virtualpos")
			if eval[bool](p, `document.querySelectorAll(".lane .state.held").length > 0`) { // an earlier try was cut short
				p.click(".lane button", "Resume")
			}
			p.click(".lane button", "Pause virtualpos")
			p.enter("maintenance until noon")
			p.click("dialog button", "Pause")
			p.see("“maintenance until noon”")
			p.see("virtualpos is paused, all else delivers")
			p.click(".lane button", "Resume")
			p.wait("that it runs", `!document.body.innerText.includes("maintenance until noon") && document.querySelectorAll(".lane .state.good").length === 5`)
		})
	})

	t.Run("every page, wide and narrow, light and dark", func(t *testing.T) {
		letter, customer := example(t, url)
		for _, size := range []struct {
			name          string
			width, height int64
		}{{"desk", deskWidth, deskHeight}, {"phone", phoneWidth, phoneHeight}} {
			b.flow(t, url, size.width, size.height, func(p *tab) {
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					for _, page := range []struct{ name, address, shows string }{
						{"overview", "", "went through"},
						{"letters", "letters", "must begin with +"},
						{"list", "letters?destination=cartum&all=1", "country code"},
						{"letter", letter, "As it would be sent"},
						{"find", "customer", "Find a customer"},
						{"customer", customer, "Versions that the stream keeps"},
						{"workers", "workers", "calls in flight"},
						{"actions", "actions", "What people did"},
					} {
						p.open(page.address)
						p.see(page.shows)
						p.wait("the line", `document.querySelector(".live.on")`)
						p.holds()
						p.shoot(strings.Join([]string{page.name, size.name, scheme}, "-"))
						if p.err != nil {
							p.err = fmt.Errorf("%s, %s, %s: %w", page.name, size.name, scheme, p.err)
							return
						}
					}
					p.open("")
					p.click(".top button", "Audit")
					p.see("Nothing was lost")
					p.holds()
					p.shoot(strings.Join([]string{"audit", size.name, scheme}, "-"))
				}
			})
		}
	})
}

// named says who acts, as a person who was here before has.
func (p *tab) named() {
	p.open("")
	eval[bool](p, `fetch("/api/v1/session", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"name":"Łucja Шевченко"}'}).then((a) => a.ok)`)
}

// listed waits for the letters of the group that was chosen.
func (p *tab) listed(cause string) {
	p.wait("the group's letters", `document.querySelector("a.group[aria-current]") && document.querySelectorAll(".letter").length > 2 &&
		[...document.querySelectorAll(".letter")].every((e) => e.innerText.includes(`+quoted(cause)+`))`)
}

// example names a letter and a customer of the demo by the addresses of their pages.
func example(t *testing.T, url string) (letter, customer string) {
	t.Helper()
	var list struct {
		Letters []struct{ Destination, Shop, Customer string } `json:"deadletters"`
	}
	ask(t, url+"api/v1/deadletters?destination=ecomcharge&limit=1", "", &list)
	if len(list.Letters) == 0 {
		t.Fatal("the demo has no letter of ecomcharge")
	}
	l := list.Letters[0]
	return "letter/" + l.Destination + "/" + l.Shop + "/" + l.Customer, "customer/" + l.Shop + "/" + l.Customer
}

// ask gets a JSON document.
func ask(t *testing.T, url, token string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("get %s: %s", url, answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
}

// signIn goes through the login.
func (p *tab) signIn() {
	p.open("")
	p.wait("a page or the login", `document.querySelector("#token, .side")`)
	if !eval[bool](p, `Boolean(document.querySelector("#token"))`) {
		return
	}
	p.write("#token", secret)
	p.write("#name", "Zofia Ćwiklińska")
	p.press(kb.Enter)
	p.wait("the overview", `document.querySelector(".side .live.on")`)
}

// A wrong token is told from a right one, and a session that ends asks again. A
// worker that goes is told from one that answers.
func TestConsoleSignIn(t *testing.T) {
	b := openBrowser(t)
	s := set(t, "")
	b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
		if s.down { // an earlier try was cut short
			s.start(t)
		}
		p.open("")
		p.see("Sign in")
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			p.holds()
			p.shoot("login-desk-" + scheme)
		}
		p.write("#token", "not-"+secret)
		p.press(kb.Enter)
		p.see("That is not this worker's token")
		p.expect("401")
		if eval[bool](p, `document.body.innerText.includes("calls")`) && p.err == nil {
			p.err = fmt.Errorf("a page is shown to somebody who is not signed in")
		}
		p.shoot("login-wrong")
		p.write("#token", secret)
		p.write("#name", "Zofia Ćwiklińska")
		p.press(kb.Enter)
		p.see("Every destination is in step")
		p.see("Zofia Ćwiklińska")
		if cookies := eval[string](p, `document.cookie`); cookies != "" && p.err == nil {
			p.err = fmt.Errorf("scripts can read the session: %q", cookies)
		}

		s.kill()
		p.wait("the loss of the line", `document.querySelector(".live.lost")`)
		p.see("The line to the worker is lost; this is as of")
		p.holds()
		p.shoot("reconnecting")
		s.start(t)
		p.wait("the line", `document.querySelector(".live.on")`)
		p.expect("ERR_CONNECTION")
		p.expect("ERR_INCOMPLETE")
		p.click(".foot button", "Sign out")
		p.see("You are signed out")
		p.open("letters")
		p.see("Sign in")
	})
}

// What was stopped is gone on with, with the same letters and no later ones, and what
// was discarded is taken back without what was discarded before.
func TestConsoleGoesOn(t *testing.T) {
	const many = 300
	b := openBrowser(t)
	s := set(t, "")
	var lines bytes.Buffer
	for i := range many {
		fmt.Fprintf(&lines, `{"id":"c%03d","version":1,"phone":"call me","last_name":"Шевченко"}`+"\n", i)
	}
	s.publish(t, lines.String())
	s.dead(t, many)
	stop := func(p *tab) {
		p.wait("some progress", `parseInt(document.querySelector("dialog .body p")?.innerText.match(/\d+/)?.[0]) > 0`)
		p.click("dialog footer button", "Stop")
		p.see("Stopped.")
	}
	b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
		p.signIn()
		p.open("letters")
		p.wait("how many there are", `/\d|No/.test(document.querySelector("h1").innerText)`)
		if eval[bool](p, `document.querySelector("h1").innerText !== "300 dead letters"`) {
			return // an earlier try was cut short
		}
		p.click(".top button", "Discard")
		p.wait("the preview", `document.querySelector(".counts")?.innerText.includes("300")`)
		p.click("dialog footer button", "Discard 300 letters")
		p.wait("the end", `/discarded/.test(document.querySelector("dialog .notice.good")?.innerText)`)
		p.click("dialog footer button", "Undo")
		p.see("300 letters open again")
	})
	s.publish(t, `{"id":"late","version":1,"phone":"call me","last_name":"Шевченко"}`+"\n")
	b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
		p.signIn()
		p.open("letters")
		p.wait("how many there are", `/\d|No/.test(document.querySelector("h1").innerText)`)
		if eval[bool](p, `document.querySelector("h1").innerText !== "301 dead letters"`) {
			return
		}
		p.click(".top button", "Mend")
		p.write(`dialog .correction input`, "+48221234567")
		p.write(`dialog input[type="number"]`, "150")
		p.wait("the preview", `document.querySelector(".counts")?.innerText.includes("301")`)
		s.publish(t, `{"id":"later","version":1,"phone":"call me","last_name":"Шевченко"}`+"\n")
		s.dead(t, many+2)
		p.click("dialog footer button", "Mend and replay 301 letters")
		stop(p)
		p.holds()
		p.shoot("bulk-stopped")
		p.click("dialog footer button", "Go on")
		p.wait("the replay", `document.querySelector("dialog .body p")?.innerText.includes("Queueing")`)
		stop(p)
		p.click("dialog footer button", "Go on")
		p.wait("the end", `/mended · 301 queued/.test(document.querySelector("dialog .notice.good")?.innerText)`)
	})
	s.dead(t, 1)
}

// Ten thousand letters of one bad deploy are looked through, mended and replayed
// by one person.
func TestConsoleManyLetters(t *testing.T) {
	const many = 10_000
	b := openBrowser(t)
	s := set(t, "    rate: {calls_per_second: 200, concurrency: 8}\n")
	var lines bytes.Buffer
	for i := range many {
		fmt.Fprintf(&lines, `{"id":"c%05d","version":1,"email":"c%05d@example.com","phone":"call me","first_name":"Łucja","last_name":"Шевченко"}`+"\n", i, i)
	}
	s.publish(t, lines.String())
	s.dead(t, many)
	b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
		p.signIn()
		p.open("letters")
		p.see("10,000 dead letters")
		p.see("1 cause")
		// To the end of the list, without ever having all rows in the page.
		p.waitFor(patience, "the last letter", `(() => { const s = document.querySelector(".scroller"); s.scrollTop = s.scrollHeight; return document.querySelector('.letter[aria-posinset="10000"]'); })()`)
		if rows := eval[int](p, `document.querySelectorAll(".letter").length`); rows > 100 && p.err == nil {
			p.err = fmt.Errorf("got %d rows in the page at once, want those that can be seen", rows)
		}
		p.shoot("letters-10000")
	})
	b.flow(t, s.url, deskWidth, deskHeight, func(p *tab) {
		p.signIn()
		p.open("letters")
		p.wait("how many there are", `/\d|No/.test(document.querySelector("h1").innerText)`)
		if eval[bool](p, `document.querySelector("h1").innerText === "No dead letters"`) {
			return // an earlier try was cut short; whether they were delivered is seen below
		}
		p.click(".top button", "Mend")
		p.wait("the dialog", `document.querySelector("dialog .correction select")?.value === "phone"`)
		p.write(`dialog .correction input`, "+48221234567")
		p.waitFor(patience, "the preview", `document.querySelector(".counts")?.innerText.includes("10,000")`)
		p.see("would be sent")
		p.holds()
		p.shoot("bulk-preview")
		p.click("dialog footer button", "Mend and replay 10,000 letters")
		p.waitFor(2*patience, "the end", `/10,000 mended · 10,000 queued/.test(document.querySelector("dialog .notice.good")?.innerText)`)
		p.shoot("bulk-done")
		p.click("dialog footer button", "Close")
		p.waitFor(2*patience, "an empty list", `document.querySelector("h1")?.innerText === "No dead letters"`)
	})
	s.dead(t, 0)
	if held, err := s.provider.held(t.Context()); err != nil || len(held) != many {
		t.Errorf("the provider holds %d customers (%v), want %d", len(held), err, many)
	}
}

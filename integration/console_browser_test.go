package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// glance is how long a page may take to show what it is to show.
const glance = 60 * time.Second

// browser is a Chromium that tests open tabs in.
type browser struct {
	ctx         context.Context
	screenshots string
}

// openBrowser starts the machine's Chromium, which goes with the test.
func openBrowser(t *testing.T) *browser {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium, and with CI=true that is a failure: apt-get install chromium")
		}
		t.Skip("THE TESTS IN A BROWSER DID NOT RUN: there is no Chromium; apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // its sandbox refuses root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &browser{ctx, screenshotFolder(t)}
}

// screenshotFolder is where pictures are kept: where CUSTSYNC_SCREENSHOTS says,
// or among the test's artifacts, which stay with -artifacts.
func screenshotFolder(t *testing.T) string {
	dir := os.Getenv("CUSTSYNC_SCREENSHOTS")
	if dir == "" {
		return t.ArtifactDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tab is a page of the console. After a step has failed the others do nothing,
// and err says why.
type tab struct {
	err error

	t       *testing.T
	ctx     context.Context
	browser *browser
	url     string

	mu    sync.Mutex
	said  []string // what the console of the browser has: no page may write to it
	moved bool     // the machine's network changed, which breaks every line
}

// flow runs a story in a tab of its own, of that width and height. A network that
// comes or goes on this machine, such as a container's, makes Chromium drop every
// line; then the story begins anew, so it has to be one that may.
func (b *browser) flow(t *testing.T, url string, width, height int64, story func(p *tab)) {
	t.Helper()
	for try := 1; ; try++ {
		moved, err := b.run(t, url, width, height, story)
		if err == nil {
			return
		}
		if !moved || try == 5 {
			t.Fatal(err)
		}
		t.Logf("the machine's network changed: once more")
	}
}

func (b *browser) run(t *testing.T, url string, width, height int64, story func(p *tab)) (moved bool, err error) {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	p := &tab{t: t, ctx: ctx, browser: b, url: url}
	messages := chromedp.Console(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for m, err := range messages {
			if err != nil {
				return
			}
			p.hear(m)
		}
	}()
	p.do("set the window", chromedp.EmulateViewport(width, height))
	story(p)
	if p.err != nil {
		p.shoot("failed-" + filepath.Base(t.Name()))
	}
	cancel()
	<-heard
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.said) > 0 {
		p.err = errors.Join(p.err, fmt.Errorf("the browser's console has: %s", strings.Join(p.said, "; ")))
	}
	return p.moved, p.err
}

// hear keeps errors and warnings.
func (p *tab) hear(m chromedp.ConsoleMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.Contains(m.Text, "ERR_NETWORK_CHANGED"), strings.Contains(m.Text, "ERR_NETWORK_IO_SUSPENDED"):
		p.moved = true
	case m.Type == "error", m.Type == "warning", m.Type == chromedp.ConsoleException:
		p.said = append(p.said, fmt.Sprintf("%s: %s", m.Type, m.Text))
	}
}

// expect takes a message of the browser's own off what it has said: a refused
// request, for one, which nobody can keep it from writing down.
func (p *tab) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.said[:0]
	for _, s := range p.said {
		if !strings.Contains(s, part) {
			kept = append(kept, s)
		}
	}
	p.said = kept
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	if p.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, glance)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.err = fmt.Errorf("%s: %w", what, err)
		if strings.Contains(err.Error(), "ERR_NETWORK") {
			p.mu.Lock()
			p.moved = true
			p.mu.Unlock()
		}
	}
}

// open goes to a page of the console, as if its address had been typed.
func (p *tab) open(page string) {
	p.do("leave", chromedp.Navigate("about:blank"))
	p.do("open "+page, chromedp.Navigate(p.url+"#/"+page))
	p.wait("a page", `document.querySelector("h1")?.textContent`)
}

// eval runs an expression and returns its value.
func eval[T any](p *tab, js string) T {
	var value T
	if p.err != nil {
		return value
	}
	ctx, cancel := context.WithTimeout(p.ctx, glance)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.err = fmt.Errorf("evaluate %s: %w", js, err)
	}
	return value
}

// wait waits until an expression is true.
func (p *tab) wait(what, js string) { p.waitFor(glance, what, js) }

func (p *tab) waitFor(limit time.Duration, what, js string) {
	if p.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](`Boolean(`+js+`)`, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(limit)))
	if err != nil {
		shown := eval[string](p, `(document.querySelector("dialog[open]") ?? document.body).innerText.slice(0, 600)`)
		p.err = fmt.Errorf("wait for %s: %w; shown is:\n%s", what, err, shown)
	}
}

// see waits for a text.
func (p *tab) see(text string) {
	p.wait("the text "+text, `document.body.innerText.includes(`+quoted(text)+`)`)
}

// find is an expression for the first element that can be seen and used, fits
// the selector and holds the text.
func find(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].find((e) => e.checkVisibility() && !e.disabled && (e.innerText + " " + (e.getAttribute("aria-label") ?? "")).includes(%s))`, quoted(selector), quoted(text))
}

// click clicks with the mouse on the first such element, once it lies still.
func (p *tab) click(selector, text string) {
	p.wait(fmt.Sprintf("%s with %q", selector, text), `(() => {
		const e = `+find(selector, text)+`;
		e?.scrollIntoView({block: "center"});
		const r = e?.getBoundingClientRect(), before = window.lay;
		window.lay = r && {e, x: r.x + r.width / 2, y: r.y + r.height / 2};
		return e && before?.e === e && before.x === window.lay.x && before.y === window.lay.y;
	})()`)
	at := eval[[]float64](p, `[window.lay.x, window.lay.y]`)
	if p.err == nil {
		p.do("click on "+selector, chromedp.MouseClickXY(at[0], at[1]))
	}
}

// write clicks into a field and types over what it holds.
func (p *tab) write(selector, text string) {
	p.click(selector, "")
	p.wait(selector+" with the cursor", `document.activeElement.matches(`+quoted(selector)+`) && (document.activeElement.select(), true)`)
	p.enter(text)
}

// enter puts a text where the cursor is, in any alphabet.
func (p *tab) enter(text string) {
	if p.err == nil {
		_, p.err = chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text})
	}
}

// press types keys as a keyboard does: what a key writes comes with its going
// down, so that a page which takes the key as its own keeps it from being written.
func (p *tab) press(keys string) {
	for _, r := range keys {
		events := kb.Encode(r)
		for i, e := range events {
			if e.Type == kb.KeyChar || p.err != nil {
				continue
			}
			if next := i + 1; next < len(events) && events[next].Type == kb.KeyChar {
				e.Type, e.Text, e.UnmodifiedText = kb.KeyDown, events[next].Text, events[next].UnmodifiedText
			}
			_, p.err = chromedp.Call(p.ctx, input.DispatchKeyEvent, *e)
		}
	}
}

// scheme makes the browser prefer dark or light, and no motion, in which no
// colour is what it will be.
func (p *tab) scheme(name string) {
	if p.err != nil {
		return
	}
	_, p.err = chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
}

// shoot takes a picture of what is seen.
func (p *tab) shoot(name string) {
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(p.browser.screenshots, name+".png"), picture, 0o644)
	}
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("take a screenshot: %w", err)
	}
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // a text has a JSON form
	}
	return string(b)
}

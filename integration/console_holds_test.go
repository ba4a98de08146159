package integration

import (
	"fmt"
	"strings"
)

// holds checks what has to be true of every page: nothing lies beyond its width,
// every text stands out from its ground, whatever can be used has a name.
func (p *tab) holds() {
	// In the ratio of the accessibility guidelines (WCAG 2.2, 1.4.3). A canvas turns
	// any way to write a colour into its parts.
	wrong := eval[[]string](p, `(() => {
		const wrong = [];
		if (document.scrollingElement.scrollWidth > innerWidth) wrong.push("the page is " + document.scrollingElement.scrollWidth + " wide");
		const odd = document.body.innerText.match(/.{0,30}(undefined|NaN|\[object |Invalid Date).{0,30}/);
		if (odd) wrong.push("the text " + odd[0]);
		const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
		const parts = (color) => { pixel.clearRect(0, 0, 1, 1); pixel.fillStyle = color; pixel.fillRect(0, 0, 1, 1); return [...pixel.getImageData(0, 0, 1, 1).data]; };
		const over = ([r, g, b, a], [R, G, B]) => [r, g, b].map((c, i) => c * a / 255 + [R, G, B][i] * (1 - a / 255));
		const ground = (e) => { const p = parts(getComputedStyle(e).backgroundColor); return p[3] === 255 || !e.parentElement ? p : [...over(p, ground(e.parentElement)), 255]; };
		const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			const e = walk.currentNode.parentElement;
			if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest(":disabled, noscript, .seen-by-readers")) continue;
			const under = ground(e), fore = over(parts(getComputedStyle(e).color), under);
			const [a, b] = [light(fore), light(under)].sort((x, y) => y - x);
			const ratio = (a + .05) / (b + .05);
			if (ratio < 4.5) wrong.push(ratio.toFixed(2) + " is the contrast of " + walk.currentNode.data.trim().slice(0, 30) + " in " + e.className);
		}
		for (const e of document.querySelectorAll("a, button, input, select, textarea, [tabindex='0']")) {
			if (!e.checkVisibility()) continue;
			const name = e.getAttribute("aria-label") || e.getAttribute("title") || e.innerText?.trim() || [...(e.labels ?? [])].map((l) => l.innerText).join("").trim();
			if (!name) wrong.push("no name: " + e.outerHTML.slice(0, 100));
		}
		for (const e of document.querySelectorAll("[id]")) if (document.querySelectorAll("#" + CSS.escape(e.id)).length > 1) wrong.push("twice the id " + e.id);
		return wrong;
	})()`)
	if p.err == nil && len(wrong) > 0 {
		p.err = fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
}

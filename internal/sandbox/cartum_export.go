package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// exportUsers lists users. As documented, offset counts only beside a limit; all
// registered today, so from and to select nobody else.
func (c *Cartum) exportUsers(w http.ResponseWriter, _ *http.Request, body []byte) func() {
	c.book.route("POST users/export")
	var ask struct {
		Token         string
		Offset, Limit int
	}
	if json.Unmarshal(body, &ask) != nil {
		return c.notJSON(w)
	}
	if refusal := c.admitted(w, ask.Token); refusal != nil {
		return refusal
	}
	most := 500
	if c.Switches.ExportLimit > 0 {
		most = c.Switches.ExportLimit
	}
	offset := ask.Offset
	if ask.Limit <= 0 {
		offset, ask.Limit = 0, most
	}
	all := slices.SortedFunc(maps.Values(c.book.records), func(a, b *entry) int { return cmp.Compare(a.serial, b.serial) })
	all = all[min(max(offset, 0), len(all)):]
	all = all[:min(ask.Limit, most, len(all))]
	if len(all) == 0 {
		return func() { cartumAnswer(w, http.StatusOK, "EMPTY", map[string]any{"users": []any{}}) }
	}
	users := make([]map[string]json.RawMessage, len(all))
	for i, e := range all {
		users[i] = e.fields()
		users[i]["id"] = json.RawMessage(strconv.Quote(e.id))
	}
	return func() { cartumAnswer(w, http.StatusOK, "OK", map[string]any{"users": users}) }
}

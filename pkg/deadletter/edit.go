package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Edit is a person's correction of one customer, for one destination and for one
// version: what a newer version says replaces it.
type Edit struct {
	ID      string    // names it in the ledger, which says that it is in force
	Version int64     // of the event that it corrects
	Seq     uint64    // the same event's
	Of      string    // tells that event's data; another state of the same version is not corrected
	At      time.Time // when it was made
	By      string    // who made it; empty: not told
	Note    string    // why; empty: not told
	Patch   []byte    // JSON merge patch (RFC 7396) of the event's data
}

// Edited is an event as corrected.
type Edited struct {
	Event []byte // the whole event
	Data  []byte // its data, the customer
	Patch []byte // what differs from the event as published, as one merge patch
	Of    string // tells the event's data as published
}

var errNoEvent = errors.New("the event is no JSON object with data, which alone can be corrected: publish the customer anew")

// Applies reports whether an event is the one that the edit is of: published
// again, it may stand elsewhere in the stream.
func (e *Edit) Applies(event []byte) bool {
	_, data, err := open(event)
	return err == nil && e.Of == tell(data)
}

// Apply corrects an event. Patches apply one after the other.
func Apply(event []byte, patches ...[]byte) (*Edited, error) {
	doc, data, err := open(event)
	if err != nil {
		return nil, err
	}
	out := &Edited{Of: tell(data)}
	value, err := decode(data)
	before, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, errNoEvent
	}
	if value, err = decode(data); err != nil {
		return nil, errNoEvent
	}
	for _, patch := range patches {
		p, err := CheckPatch(patch)
		if err != nil {
			return nil, err
		}
		value = merge(value, p)
	}
	after, ok := value.(map[string]any)
	if !ok {
		return nil, errNoEvent
	}
	if out.Data, err = encode(after); err != nil {
		return nil, fmt.Errorf("correct an event: %w", err)
	}
	if out.Patch, err = encode(differ(before, after)); err != nil {
		return nil, fmt.Errorf("correct an event: %w", err)
	}
	if len(out.Patch) > MaxPatch {
		return nil, errPatchSize
	}
	doc["data"] = out.Data
	if out.Event, err = encode(doc); err != nil {
		return nil, fmt.Errorf("correct an event: %w", err)
	}
	return out, nil
}

// open returns an event's fields and its data.
func open(event []byte) (doc map[string]json.RawMessage, data []byte, err error) {
	if json.Unmarshal(event, &doc) != nil || doc["data"] == nil {
		return nil, nil, errNoEvent
	}
	return doc, doc["data"], nil
}

// tell is the same for data that say the same. Fields in another order are the same.
func tell(data []byte) string {
	value, err := decode(data)
	if err == nil {
		data, err = encode(value)
	}
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%016x", xxhash.Sum64(data))
}

package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// admin answers below /_sandbox/:
//
//	GET, POST, PUT, DELETE  faults    the plan: read, add (one or a list), replace, clear
//	GET, DELETE             counters  read, set to zero
//	GET, DELETE             state     one Held per line, or that of ?key=; forget all
//	GET, PUT                switches  read; change those that are named
//	POST                    clock     {"advance":"10m"} moves the provider's clock
func (f *Front) admin(w http.ResponseWriter, r *http.Request, what string, b back) {
	switch what + " " + r.Method {
	case "faults GET":
		list := f.plan.List()
		writeJSON(w, list)
	case "faults POST", "faults PUT":
		faults, err := readFaults(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if r.Method == http.MethodPut {
			f.plan.Set(faults...)
		} else {
			f.plan.Add(faults...)
		}
		writeJSON(w, f.plan.List())
	case "faults DELETE":
		f.plan.Clear()
		w.WriteHeader(http.StatusNoContent)
	case "counters GET":
		writeJSON(w, f.book.Counters())
	case "counters DELETE":
		f.book.ResetCounters()
		w.WriteHeader(http.StatusNoContent)
	case "state GET":
		f.state(w, r)
	case "state DELETE":
		f.book.Forget()
		w.WriteHeader(http.StatusNoContent)
	case "switches GET", "switches PUT":
		f.turn(w, r, b)
	case "clock POST":
		var move struct{ Advance string }
		err := json.NewDecoder(r.Body).Decode(&move)
		d, parseErr := time.ParseDuration(move.Advance)
		if err != nil || parseErr != nil {
			http.Error(w, `want {"advance":"10m"}`, http.StatusBadRequest)
			return
		}
		f.Advance(d)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "the sandbox has faults, counters, state, switches and clock", http.StatusNotFound)
	}
}

// readFaults reads one fault or a list of them.
func readFaults(r io.Reader) ([]Fault, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	var list []Fault
	if err := json.Unmarshal(data, &list); err == nil {
		return list, nil
	}
	var one Fault
	if err := json.Unmarshal(data, &one); err != nil {
		return nil, err
	}
	return []Fault{one}, nil
}

// state writes what is held, each key by itself so that a million of them
// neither fill the memory nor stop the stand-in.
func (f *Front) state(w http.ResponseWriter, r *http.Request) {
	if key := r.URL.Query().Get("key"); key != "" {
		held, ok := f.book.Held(key)
		if !ok {
			http.Error(w, "never written", http.StatusNotFound)
			return
		}
		writeJSON(w, held)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, key := range f.book.Keys() {
		held, _ := f.book.Held(key)
		if enc.Encode(held) != nil {
			return // the reader has gone
		}
	}
}

// turn reads or changes the provider's switches.
func (f *Front) turn(w http.ResponseWriter, r *http.Request, b back) {
	var err error
	var now []byte
	change, readErr := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	f.Change(func() {
		if r.Method == http.MethodPut && readErr == nil {
			err = json.Unmarshal(change, b.switches())
		}
		now, _ = json.Marshal(b.switches())
	})
	if err != nil || readErr != nil {
		http.Error(w, "switches are not understood", http.StatusBadRequest)
		return
	}
	answer(w, http.StatusOK, "application/json", now)
}

func writeJSON(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, "application/json", append(data, '\n'))
}

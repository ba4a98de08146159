package sandbox

import "time"

// window holds the times of the last second's calls, the oldest first. The zero
// window is empty.
type window struct {
	times []time.Time
	first int
}

// add takes a call in and reports true, or, where so many calls lie in the last
// second already, leaves it out and reports false. most 0 sets no bound.
func (w *window) add(now time.Time, most int) bool {
	for w.first < len(w.times) && now.Sub(w.times[w.first]) >= time.Second {
		w.first++
	}
	if w.first > 64 && w.first > len(w.times)/2 {
		w.times = w.times[:copy(w.times, w.times[w.first:])]
		w.first = 0
	}
	if most > 0 && w.len() >= most {
		return false
	}
	w.times = append(w.times, now)
	return true
}

func (w *window) len() int { return len(w.times) - w.first }

package stream

import "time"

// delivery is what the reply subject of a delivered message tells:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//
// or, from later servers, with domain and account before the stream and perhaps
// a token at the end.
type delivery struct {
	seq     uint64 // in the stream
	dseq    uint64 // of the consumer: 1, 2, 3, ...
	at      time.Time
	pending uint64 // messages that the consumer still has to deliver
}

const (
	shortReply = 9
	longReply  = 11
)

func readReply(reply string) (d delivery, ok bool) {
	var dots [longReply + 1]int // where tokens end
	n := 0
	for i := 0; i < len(reply) && n < len(dots); i++ {
		if reply[i] == '.' {
			dots[n] = i
			n++
		}
	}
	var first int // the dot before <delivered>
	switch {
	case len(reply) < 7 || reply[:7] != "$JS.ACK":
		return d, false
	case n == shortReply-1:
		first = 3
	case n >= longReply-1:
		first = 5
	default:
		return d, false
	}
	field := func(i int) uint64 {
		from, to := dots[first+i]+1, len(reply)
		if first+i+1 < n {
			to = dots[first+i+1]
		}
		v, good := digits(reply[from:to])
		ok = ok && good
		return v
	}
	ok = true
	d.seq, d.dseq = field(1), field(2)
	d.at = time.Unix(0, int64(field(3))).UTC()
	d.pending = field(4)
	return d, ok && d.seq > 0 && d.dseq > 0
}

func digits(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 19 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

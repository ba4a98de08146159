package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/config/suggest"
)

// rules are what the file has to keep besides its form. Of a value that was
// already a mistake nothing more is said.
type rules struct {
	mistakes *Mistakes
	readFile func(string) ([]byte, error)
}

func (r *rules) say(p place, message, hint string) { r.mistakes.once(p, message, hint) }

// must says what is wrong unless ok.
func (r *rules) must(ok bool, p place, message, hint string) {
	if !ok {
		r.say(p, message, hint)
	}
}

// oneOf checks a value of a closed set.
func (r *rules) oneOf(p place, value string, known ...string) {
	if p.present() && !slices.Contains(known, value) {
		r.say(p, p.node.quote()+" is not known", suggest.Hint(value, known))
	}
}

func (r *rules) config(p place, c *Config) {
	stream := p.key("stream")
	r.must(c.Stream.Partitions >= 1, stream.key("partitions"), "must be at least 1", "write 32, or what the stream has")
	r.must(c.Stream.Partitions <= 4096, stream.key("partitions"), "must be at most 4096", "write 32: each shard's consumer filters by its partitions")
	r.must(c.Stream.Replicas >= 1 && c.Stream.Replicas <= 5, stream.key("replicas"), "must be 1 to 5", "write 1, or 3 for a cluster")
	r.must(c.Stream.HistoryPerCustomer >= 1, stream.key("history_per_customer"), "must be at least 1", "write 4")

	r.nats(p.key("nats"), &c.NATS, c.Stream.Replicas, stream.key("replicas"))

	http := p.key("http")
	host := r.address(http.key("listen"), c.HTTP.Listen, "127.0.0.1:8080")
	if host != nil && !isLoopback(*host) && c.HTTP.Token == "" {
		r.say(http.key("token"), "is required, since http.listen is not a loopback address",
			"write token: ${CUSTSYNC_TOKEN}, or listen: 127.0.0.1:8080")
	}

	log := p.key("log")
	r.oneOf(log.key("level"), c.Log.Level, "trace", "debug", "info", "warn", "error")
	r.oneOf(log.key("format"), c.Log.Format, "console", "json")

	workers := p.key("workers")
	r.must(c.Workers.Lease >= time.Second && c.Workers.Lease%time.Second == 0, workers.key("lease"),
		"must be whole seconds, at least one", "write 3s")
	r.must(c.Workers.Grace > 0, workers.key("grace"), "must be above zero", "write 30s")

	r.destinations(p.key("destinations"), c)
}

func (r *rules) nats(p place, n *NATS, replicas int, replicasAt place) {
	r.must(n.TLS.Cert == "" == (n.TLS.Key == ""), p.key("tls"), "cert and key come together", "write both, or neither")
	var ways []string
	for _, way := range []struct{ key, value string }{{"creds", n.Creds}, {"user", n.User}, {"nkey", n.NKey}} {
		if way.value != "" {
			ways = append(ways, way.key)
		}
	}
	r.must(len(ways) <= 1, p, strings.Join(ways, " and ")+" are two ways to sign in", "keep one of them")
	r.must(n.User == "" || n.Password != "", p.key("password"), "is missing", "write one beside user")
	r.must(n.Password == "" || n.User != "", p.key("user"), "is missing", "write one beside password")
	for key, path := range map[string]string{"creds": n.Creds, "nkey": n.NKey} {
		r.readable(p.key(key), path)
	}
	for key, path := range map[string]string{"ca": n.TLS.CA, "cert": n.TLS.Cert, "key": n.TLS.Key} {
		r.readable(p.key("tls").key(key), path)
	}
	embedded := p.key("embedded")
	if p.key("url").present() {
		r.must(!embedded.present(), embedded, "stands beside url", "keep url for a server of its own, or embedded for one in this process")
		r.natsURL(p.key("url"), n)
		return
	}
	for _, key := range []string{"creds", "user", "password", "nkey", "tls"} {
		if at := p.key(key); at.present() {
			r.say(at, "has no use without url", "write url, or leave this out: the embedded server asks for no credentials")
		}
	}
	listen := embedded.key("listen")
	if host := r.address(listen, n.Embedded.Listen, "127.0.0.1:4222"); host != nil {
		r.must(!strings.HasSuffix(n.Embedded.Listen, ":0"), listen, "has no port that other commands could dial", "write 127.0.0.1:4222")
	}
	r.must(n.Embedded.Store != "", embedded.key("store"), "is empty", "write ./data")
	r.must(replicas <= 1, replicasAt, "is more than the one embedded server", "write 1, or nats.url of a cluster")
}

// natsURL checks the addresses and moves credentials out of them.
func (r *rules) natsURL(p place, n *NATS) {
	var clean []string
	for address := range strings.SplitSeq(n.URL, ",") {
		address = strings.TrimSpace(address)
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			r.say(p, "is not the address of a NATS server", "write nats://host:4222, several with commas between")
			return
		}
		if u.User != nil {
			password, both := u.User.Password()
			switch {
			case !both || n.User != "" || n.Creds != "" || n.NKey != "":
				r.say(p, "holds credentials", "write user and password as keys of their own")
				return
			}
			n.User, n.Password = u.User.Username(), Secret(password)
			u.User = nil
		}
		clean = append(clean, u.String())
	}
	n.URL = strings.Join(clean, ",")
}

func (r *rules) readable(p place, path string) {
	if path == "" {
		return
	}
	if _, err := r.readFile(path); err != nil {
		r.say(p, fmt.Sprintf("the file can't be read: %v", cause(err)), "name a file that this user may read, from the working directory")
	}
}

// address checks host:port and returns the host, nil if there is none.
func (r *rules) address(p place, value, example string) *string {
	host, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.say(p, "is not host:port", "write "+example)
		return nil
	}
	return &host
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

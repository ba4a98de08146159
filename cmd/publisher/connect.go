package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
)

// natsFlags are how every verb is told of its NATS server.
type natsFlags struct {
	URL          string
	Creds        string
	User         string
	PasswordFile string
	CA           string
	Cert, Key    string
	InboxPrefix  string
}

func (n *natsFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.URL, "nats", "", "`URL` of the NATS server, such as nats://127.0.0.1:4222; several with commas")
	f.StringVar(&n.Creds, "creds", "", "credentials `file` for NATS")
	f.StringVar(&n.User, "user", "", "`name` to log in to NATS with, besides --password-file")
	f.StringVar(&n.PasswordFile, "password-file", "", "`file` that holds the password of --user")
	f.StringVar(&n.CA, "tls-ca", "", "`file` of certificates that the server's is trusted by")
	f.StringVar(&n.Cert, "tls-cert", "", "`file` of the certificate to show to the server")
	f.StringVar(&n.Key, "tls-key", "", "`file` of that certificate's key")
	f.StringVar(&n.InboxPrefix, "inbox-prefix", "", "`subject` below which this user may hear answers, if not _INBOX")
}

// watcher is told what a connection meets while it lives. Both may be nil.
type watcher struct {
	state  func(string) // the connection was lost or is back
	denied func(error)  // the server lets this user not publish what it published
}

// connect connects, and waits up to patience whenever the connection is lost.
func (n *natsFlags) connect(name string, patience time.Duration, w watcher) (*nats.Conn, error) {
	options, err := n.options()
	if err != nil {
		return nil, err
	}
	const wait = time.Second
	attempts := -1 // for ever
	if patience > 0 {
		attempts = int(patience / wait)
	}
	options = append(options,
		nats.Name(name), nats.MaxReconnects(attempts), nats.ReconnectWait(wait), nats.ReconnectJitter(wait/4, wait/4),
		nats.Timeout(5*time.Second), nats.PingInterval(10*time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: closed by us
				w.tell("the connection to NATS is lost; waiting for it")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { w.tell("the connection to NATS is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if w.denied != nil && errors.Is(err, nats.ErrPermissionViolation) {
				w.denied(hinted(err))
			}
		}),
	)
	nc, err := nats.Connect(n.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", n.servers(), err)
	}
	return nc, nil
}

// elsewhere has a connection try the next of its servers, since the one that it
// has knows of no stream. An error says that it is closed, which its user learns
// anyway.
func elsewhere(nc *nats.Conn, w watcher) func() {
	if len(nc.Servers()) < 2 {
		return nil
	}
	return func() {
		w.tell("no stream answers at this server; trying the next one")
		_ = nc.ForceReconnect()
	}
}

// hinted says what to do where a user may publish but not hear the answers.
func hinted(err error) error {
	if strings.Contains(err.Error(), "Subscription to") {
		return fmt.Errorf("%w; name with --inbox-prefix where this user may hear answers", err)
	}
	return err
}

func (w watcher) tell(state string) {
	if w.state != nil {
		w.state(state)
	}
}

// options checks the flags; what is wrong with them is wrong usage.
func (n *natsFlags) options() ([]nats.Option, error) {
	if n.URL == "" {
		return nil, cli.Usagef("name the NATS server with --nats URL")
	}
	for _, u := range strings.Split(n.URL, ",") {
		// The error would repeat the URL, and with it the password.
		if parsed, err := url.Parse(strings.TrimSpace(u)); err != nil || parsed.Host == "" {
			return nil, cli.Usagef("--nats: want a URL such as nats://127.0.0.1:4222")
		}
	}
	var options []nats.Option
	switch {
	case (n.User == "") != (n.PasswordFile == ""):
		return nil, cli.Usagef("--user and --password-file go together")
	case n.User != "" && n.Creds != "":
		return nil, cli.Usagef("give either --creds or --user, not both")
	case strings.ContainsAny(n.InboxPrefix, "*> \t") || strings.HasSuffix(n.InboxPrefix, "."):
		return nil, cli.Usagef("--inbox-prefix: want a subject such as _INBOX_acme, without wildcards or a dot at its end")
	case (n.Cert == "") != (n.Key == ""):
		return nil, cli.Usagef("--tls-cert and --tls-key go together")
	}
	for flag, path := range map[string]string{"creds": n.Creds, "tls-ca": n.CA, "tls-cert": n.Cert, "tls-key": n.Key} {
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Usagef("--%s: %w", flag, err)
		}
		f.Close()
	}
	if n.Creds != "" {
		options = append(options, nats.UserCredentials(n.Creds))
	}
	if n.User != "" {
		password, err := os.ReadFile(n.PasswordFile)
		if err != nil {
			return nil, cli.Usagef("--password-file: %w", err)
		}
		options = append(options, nats.UserInfo(n.User, strings.TrimRight(string(password), "\r\n")))
	}
	if n.CA != "" {
		options = append(options, nats.RootCAs(n.CA))
	}
	if n.Cert != "" {
		options = append(options, nats.ClientCert(n.Cert, n.Key))
	}
	if n.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(n.InboxPrefix))
	}
	return options, nil
}

// servers names the servers without passwords.
func (n *natsFlags) servers() string {
	var hosts []string
	for _, u := range strings.Split(n.URL, ",") {
		if parsed, err := url.Parse(strings.TrimSpace(u)); err == nil {
			hosts = append(hosts, parsed.Host)
		}
	}
	return strings.Join(hosts, ", ")
}

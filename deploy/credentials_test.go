package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// customer is a line that the shop acme may publish.
const customer = `{"shop":"acme","id":"1","last_name":"Example"}`

// TLS: only a server that the authority vouches for, only by TLS, and only with
// a certificate where the server asks for one.
func TestTLS(t *testing.T) {
	s := newSite(t, func(conf string) string { return strings.Replace(conf, "# verify: true", "verify: true", 1) })
	password := []string{"--user", "acme", "--password-file", s.dir + "/acme.password"}
	shown := []string{"--tls-cert", s.dir + "/tls/client.pem", "--tls-key", s.dir + "/tls/client.key"}
	s.start("worker", "run", "-c", s.file("worker.yaml", strings.Replace(read(t, s.worker("worker.yaml", asWorker, "")),
		"tls: {", fmt.Sprintf("tls: {cert: %q, key: %q, ", s.dir+"/tls/client.pem", s.dir+"/tls/client.key"), 1)))
	s.until("an event is stored", func() bool {
		code, _ := s.publishAs(customer, append(password, shown...)...)
		return code == 0
	})
	for _, test := range []struct {
		why  string
		args []string
		want string
	}{
		{"no certificate", password, "tls"}, // the alert may come after the end
		{"wrong password", append([]string{"--user", "acme", "--password-file", s.dir + "/worker.password"}, shown...), "Authorization Violation"},
		{"another authority", append([]string{"--tls-ca", s.dir + "/tls/client.pem"}, append(password, shown...)...), "certificate"},
		{"no TLS", append([]string{"--nats", strings.Replace(s.url, "tls://", "nats://", 1), "--tls-ca", ""}, append(password, shown...)...), "certificate"},
	} {
		code, out := s.publishAs(customer, test.args...)
		if code != 1 || !strings.Contains(out, test.want) || strings.Contains(out, "acme-secret") {
			t.Errorf("%s: it ended with %d and said %s", test.why, code, out)
		}
	}
}

// Credentials files hold a user's JWT and key; the rights in it are those of the
// configuration. NATS calls this operator mode.
func TestCreds(t *testing.T) {
	operator := newKey(t, nkeys.CreateOperator)
	issue := func(claims jwt.Claims, by nkeys.KeyPair) string {
		token, err := claims.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	system, custsync, shops := newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount)
	ours := jwt.NewAccountClaims(public(t, custsync))
	ours.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	ours.Exports = jwt.Exports{{Name: "events", Subject: "customers.*.*", Type: jwt.Service}}
	theirs := jwt.NewAccountClaims(public(t, shops))
	theirs.Imports = jwt.Imports{{Name: "events", Account: public(t, custsync), Subject: "customers.*.*", Type: jwt.Service}}
	resolved := "system_account: " + public(t, system) + "\nresolver: MEMORY\nresolver_preload {\n"
	for _, claims := range []*jwt.AccountClaims{ours, theirs, jwt.NewAccountClaims(public(t, system))} {
		resolved += claims.Subject + ": " + issue(claims, operator) + "\n"
	}
	rights := make(map[string]*natsserver.Permissions)
	s := newSite(t, func(conf string) string {
		path := filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		options, err := natsserver.ProcessConfigFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range options.Users {
			rights[u.Username] = u.Permissions
		}
		head := conf[:strings.Index(conf, "accounts {")]
		return head + "operator: " + issue(jwt.NewOperatorClaims(public(t, operator)), operator) + "\n" + resolved + "}\n"
	})
	creds := make(map[string]string)
	for user, account := range map[string]nkeys.KeyPair{"worker": custsync, "operator": custsync, "acme": shops} {
		key := newKey(t, nkeys.CreateUser)
		claims := jwt.NewUserClaims(public(t, key))
		claims.Pub.Allow.Add(rights[user].Publish.Allow...)
		claims.Sub.Allow.Add(rights[user].Subscribe.Allow...)
		seed, err := key.Seed()
		if err != nil {
			t.Fatal(err)
		}
		file, err := jwt.FormatUserConfig(issue(claims, account), seed)
		if err != nil {
			t.Fatal(err)
		}
		creds[user] = s.file(user+".creds", string(file))
	}
	s.start("worker", "run", "-c", s.worker("worker.yaml", fmt.Sprintf("creds: %q", creds["worker"]), ""))
	config := s.worker("operator.yaml", fmt.Sprintf("creds: %q", creds["operator"]), "")
	s.until("an event is stored", func() bool {
		code, _ := s.publishAs(customer, "--creds", creds["acme"])
		return code == 0
	})
	s.until("it is delivered", func() bool {
		_, out := s.run("", "worker", "audit", "-c", config, "-o", "json")
		return strings.Contains(out, `"in_step":1`)
	})
	if refused := s.log.take(); refused != "" {
		t.Error(refused)
	}
	if code, out := s.publishAs(`{"shop":"other","id":"1"}`, "--creds", creds["acme"]); code != 1 || !strings.Contains(out, "customers.other.1") {
		t.Errorf("it ended with %d and said %s", code, out)
	}
}

// A worker's and an operator's key instead of a password: the server knows its
// public half only.
func TestNKeys(t *testing.T) {
	key := newKey(t, nkeys.CreateUser)
	s := newSite(t, func(conf string) string {
		return strings.Replace(conf, "user: worker, password: $CUSTSYNC_WORKER_PASSWORD", "nkey: "+public(t, key), 1)
	})
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	said, _ := s.start("worker", "run", "-c", s.worker("worker.yaml", fmt.Sprintf("nkey: %q", s.file("worker.nk", string(seed))), ""))
	s.until("it runs", func() bool {
		_, out := s.run("", "worker", "status", "-c", s.worker("operator.yaml", asOperator, ""))
		return strings.Contains(out, "running")
	})
	if strings.Contains(said.String(), string(seed)) {
		t.Error("the key is in the log")
	}
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(t *testing.T, key nkeys.KeyPair) string {
	t.Helper()
	name, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Package deploy holds the examples of this folder to what they promise.
package deploy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/custsync/custsync/internal/sandbox"
)

// programs are the commands, built once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "custsync-deploy-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "../cmd/worker", "../cmd/publisher").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// site is a server with the configuration of this folder, a stand-in of a
// provider, and a place for files.
type site struct {
	t       *testing.T
	dir     string
	url     string // of NATS
	thulium string
	server  *natsserver.Server
	log     *refusals
}

// refusals are what the server says it did not allow.
type refusals struct {
	mu    sync.Mutex
	lines []string
}

func (r *refusals) Noticef(string, ...any)    {}
func (r *refusals) Debugf(string, ...any)     {}
func (r *refusals) Tracef(string, ...any)     {}
func (r *refusals) Warnf(string, ...any)      {}
func (r *refusals) Fatalf(f string, v ...any) { r.Errorf(f, v...) }
func (r *refusals) Errorf(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	if strings.Contains(line, "Violation") {
		r.mu.Lock()
		r.lines = append(r.lines, line)
		r.mu.Unlock()
	}
}

// take returns what was refused since the last call.
func (r *refusals) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.lines, "\n")
	r.lines = nil
	return all
}

// newSite starts the server, once the text of its configuration was changed.
func newSite(t *testing.T, change func(conf string) string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), log: &refusals{}}
	s.certificates()
	for _, name := range []string{"WORKER", "OPERATOR", "ACME", "SERVE"} {
		t.Setenv("CUSTSYNC_"+name+"_PASSWORD", strings.ToLower(name)+"-secret")
		s.file(strings.ToLower(name)+".password", strings.ToLower(name)+"-secret\n")
	}
	conf, err := os.ReadFile("nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/etc/nats/", s.dir+"/", "/var/lib/nats", s.dir+"/store", "0.0.0.0:4222", "127.0.0.1:-1").Replace(string(conf))
	if change != nil {
		text = change(text)
	}
	options, err := natsserver.ProcessConfigFile(s.file("nats.conf", text))
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs = true
	if s.server, err = natsserver.NewServer(options); err != nil {
		t.Fatal(err)
	}
	s.server.SetLoggerV2(s.log, false, false, false)
	s.server.Start()
	t.Cleanup(func() { s.server.Shutdown(); s.server.WaitForShutdown() })
	if !s.server.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not start")
	}
	s.url = "tls://" + s.server.Addr().String()
	s.standIn()
	return s
}

func (s *site) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *site) standIn() {
	server := &sandbox.Server{Providers: map[string]sandbox.Provider{"thulium": &sandbox.Thulium{}}}
	url, err := server.Listen()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	s.t.Cleanup(func() { cancel(); <-done })
	s.thulium = url + "/thulium"
}

// certificates makes an authority, and a certificate of the server's by it.
func (s *site) certificates() {
	s.t.Helper()
	issue := func(name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			s.t.Fatal(err)
		}
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
			IsCA: parent == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if parent == nil {
			parent, signer = cert, key
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, signer)
		if err != nil {
			s.t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			s.t.Fatal(err)
		}
		s.file("tls/"+name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		s.file("tls/"+name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
		return cert, key
	}
	ca, key := issue("ca", nil, nil)
	issue("server", ca, key)
	issue("client", ca, key)
}

// worker writes a configuration of the worker as one of the users, with what is
// put beside the credentials.
func (s *site) worker(file, nats string, more string) string {
	return s.file(file, fmt.Sprintf(`nats: {url: %q, tls: {ca: %q}, %s}
http: {listen: "127.0.0.1:0"}
destinations:
  - name: thulium-pl
    provider: thulium
    url: %q
    auth: {username: api, password: secret}
    timeout: 5s
    batch: {linger: 10ms}
%s`, s.url, s.dir+"/tls/ca.pem", nats, s.thulium, more))
}

// run carries out a command to its end.
func (s *site) run(stdin string, name string, args ...string) (code int, out string) {
	s.t.Helper()
	dir, err := programs()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, name), args...)
	cmd.Stdin, cmd.Dir = strings.NewReader(stdin), s.dir
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	_ = cmd.Run() // its exit code is looked at
	return cmd.ProcessState.ExitCode(), b.String()
}

// start runs a command until it is stopped, at the latest by the test's end.
func (s *site) start(name string, args ...string) (out *said, stop func()) {
	s.t.Helper()
	dir, err := programs()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Dir = s.dir
	out = &said{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	s.t.Cleanup(stop)
	return out, stop
}

type said struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s\n%s", what, s.log.take())
		}
		<-time.After(20 * time.Millisecond)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

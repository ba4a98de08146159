package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	cookieName   = "custsync_session"
	sessionTime  = 12 * time.Hour
	grantTime    = 10 * time.Minute
	headerBy     = "Custsync-By"
	headerGrant  = "Custsync-Grant"
	maxName      = 64 // characters of who acts
	sessionWords = "session"
	grantWords   = "grant"
)

// keys sign what the server gives out and hears again. They follow from the
// token, so that all workers of a fleet and the next start know it; without a
// token they are this process' own.
type keys struct {
	token  string // empty: none is needed
	secret []byte
}

func newKeys(token string) *keys {
	k := &keys{token: token, secret: []byte(rand.Text() + rand.Text())}
	if token != "" {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("custsync http"))
		k.secret = mac.Sum(nil)
	}
	return k
}

// right reports whether a token is the one configured.
func (k *keys) right(token string) bool {
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(k.token))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// signed is what the server gives out.
type signed struct {
	For      string    `json:"for"` // session or grant
	Until    time.Time `json:"until"`
	Name     string    `json:"name,omitempty"`
	Shop     string    `json:"shop,omitempty"`
	Customer string    `json:"customer,omitempty"`
}

func (k *keys) sign(s signed) string {
	data, err := json.Marshal(s)
	if err != nil {
		return "" // cannot be: it holds texts and a time
	}
	return base64.RawURLEncoding.EncodeToString(data) + "." + base64.RawURLEncoding.EncodeToString(k.mac(data))
}

func (k *keys) mac(data []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(data)
	return mac.Sum(nil)
}

// read returns what was signed, if it is of that kind and its time is not over.
func (k *keys) read(text, kind string, now time.Time) (s signed, ok bool) {
	body, sum, _ := strings.Cut(text, ".")
	data, err := base64.RawURLEncoding.DecodeString(body)
	given, wrong := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || wrong != nil || !hmac.Equal(given, k.mac(data)) || json.Unmarshal(data, &s) != nil {
		return signed{}, false
	}
	return s, s.For == kind && now.Before(s.Until)
}

// admit sees that whoever asks may: not from another site's page, not under a
// foreign name of this address, and with the token or a session where one is needed.
func (s *Server) admit(x *exchange, r *route) error {
	if err := http.NewCrossOriginProtection().Check(x.req); err != nil {
		return refused(http.StatusForbidden, "the request comes from another site's page, and changes something: open the console at this address")
	}
	if s.keys.token == "" && !homely(x.req.Host) {
		return refused(http.StatusForbidden, "without http.token this is for this machine only: ask for 127.0.0.1 or localhost, or set a token")
	}
	by, admitted, err := s.who(x.req)
	x.name, x.admitted = by, admitted
	if x.by = by; by == "" && admitted {
		x.by = s.nameless(x.req)
	}
	if r.open || admitted {
		return nil
	}
	if err != nil {
		return x.later(err)
	}
	x.w.Header().Set("WWW-Authenticate", `Bearer realm="custsync"`)
	return refused(http.StatusUnauthorized, "want the header Authorization: Bearer with http.token of the configuration, or a session of the console")
}

// who tells who asks, and whether that one may.
func (s *Server) who(req *http.Request) (by string, admitted bool, err error) {
	if session, there := s.signedIn(req); there {
		return session.Name, true, nil
	}
	if s.keys.token != "" {
		scheme, given, _ := strings.Cut(req.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") { // as RFC 9110 has it, and some clients
			return "", false, nil
		}
		right, err := s.guesses.judge(req, func() bool { return s.keys.right(strings.TrimSpace(given)) })
		if !right || err != nil {
			return "", false, err
		}
	}
	return name(req.Header.Get(headerBy)), true, nil
}

// signedIn returns the session that a request brings.
func (s *Server) signedIn(req *http.Request) (session signed, there bool) {
	c, err := req.Cookie(cookieName)
	if err != nil {
		return signed{}, false
	}
	return s.keys.read(c.Value, sessionWords, time.Now())
}

// nameless is what is known of one who acts without a name.
func (s *Server) nameless(req *http.Request) string {
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		from = req.RemoteAddr
	}
	with := "http"
	if _, there := s.signedIn(req); there {
		with = "console"
	} else if s.keys.token != "" {
		with = "http token"
	}
	return with + " from " + from
}

// name is who acts as it may stand in the record.
func name(given string) string {
	given = strings.Join(strings.Fields(strings.ToValidUTF8(given, "")), " ")
	given = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, given)
	if utf8.RuneCountInString(given) > maxName {
		given = string([]rune(given)[:maxName])
	}
	return given
}

// homely reports whether a Host header names this machine itself. A page of
// another site whose name was made to point here still names itself.
func homely(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(strings.ToLower(strings.TrimSuffix(host, ".")), "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// sessionView is whether one is signed in.
type sessionView struct {
	Authenticated bool       `json:"authenticated"`
	TokenRequired bool       `json:"token_required"`
	Name          string     `json:"name"`
	ExpiresAt     *time.Time `json:"expires_at"`
}

func (s *Server) session(x *exchange) error {
	view := sessionView{Authenticated: x.admitted, TokenRequired: s.keys.token != "", Name: x.name}
	if session, there := s.signedIn(x.req); there {
		view.ExpiresAt = &session.Until
	}
	return x.answer(view)
}

func (s *Server) login(x *exchange) error {
	var ask struct {
		Token string `json:"token"`
		Name  string `json:"name"`
	}
	if err := x.body(&ask, true); err != nil {
		return err
	}
	until := time.Now().Add(sessionTime).UTC().Truncate(time.Second)
	if before, there := s.signedIn(x.req); there && ask.Token == "" && s.keys.token != "" {
		until = before.Until // who is signed in may say another name, for no longer than that
	} else if s.keys.token != "" {
		right, err := s.guesses.judge(x.req, func() bool { return s.keys.right(ask.Token) })
		if err != nil {
			return x.later(err)
		}
		if !right {
			return refused(http.StatusUnauthorized, "this is not the token: it is http.token in the worker's configuration")
		}
	}
	session := signed{For: sessionWords, Until: until, Name: name(ask.Name)}
	http.SetCookie(x.w, s.cookie(x.req, s.keys.sign(session), until))
	x.by = session.Name
	return x.answer(sessionView{true, s.keys.token != "", session.Name, &until})
}

func (s *Server) logout(x *exchange) error {
	http.SetCookie(x.w, s.cookie(x.req, "", time.Unix(1, 0)))
	return x.answer(sessionView{Authenticated: s.keys.token == "", TokenRequired: s.keys.token != ""})
}

func (s *Server) cookie(req *http.Request, value string, until time.Time) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", Expires: until,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// grant lets whoever was shown a customer's own values see them for a while.
func (s *Server) grant(shop, customer string) string {
	return s.keys.sign(signed{For: grantWords, Until: time.Now().Add(grantTime).UTC(), Shop: shop, Customer: customer})
}

// granted reports whether the request may see a customer's own values.
func (x *exchange) granted(shop, customer string) bool {
	g, ok := x.server.keys.read(x.req.Header.Get(headerGrant), grantWords, time.Now())
	return ok && g.Shop == shop && g.Customer == customer && shop != "" && customer != ""
}

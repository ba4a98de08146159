package ingress

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"mime"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/events"
)

func sum(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type openAPI struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Security   *[]any `json:"security"`
	Parameters []struct {
		Name, In string
	} `json:"parameters"`
	Responses map[string]struct {
		Headers map[string]any `json:"headers"`
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
}

func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	var doc openAPI
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

func (d *openAPI) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// documented says that an answer is one that the document promises.
func documented(t *testing.T, s *Server, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	_, pattern := s.Handler().(*http.ServeMux).Handler(req)
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		return // no address of ours, or not with this method
	}
	doc := readOpenAPI(t)
	response, ok := doc.Paths[path][strings.ToLower(method)].Responses[strconv.Itoa(resp.StatusCode)]
	if !ok {
		t.Errorf("%s: status %d is not documented", pattern, resp.StatusCode)
		return
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	content, ok := response.Content[kind]
	if err != nil || !ok {
		t.Errorf("%s: %d with %q is not documented", pattern, resp.StatusCode, kind)
		return
	}
	for name := range resp.Header {
		if _, ok := response.Headers[name]; !ok && (name == "Retry-After" || name == "Www-Authenticate" && response.Headers["WWW-Authenticate"] == nil) {
			t.Errorf("%s: %d with header %s is not documented", pattern, resp.StatusCode, name)
		}
	}
	want := doc.resolve(content.Schema)
	if want.Properties == nil {
		return
	}
	for line := range strings.Lines(string(body)) {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%s: %v in %s", pattern, err, line)
			continue
		}
		for name := range got {
			if _, ok := want.Properties[name]; !ok {
				t.Errorf("%s: %d has field %s, which is not documented", pattern, resp.StatusCode, name)
			}
		}
		for _, name := range want.Required {
			if _, ok := got[name]; !ok {
				t.Errorf("%s: %d lacks field %s", pattern, resp.StatusCode, name)
			}
		}
	}
}

// The document and the handlers have the same routes, and say the same of tokens.
func TestOpenAPIRoutes(t *testing.T) {
	doc := readOpenAPI(t)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("got version %q", doc.OpenAPI)
	}
	var got, want []string
	for path, operations := range doc.Paths {
		for method, o := range operations {
			got = append(got, strings.ToUpper(method)+" "+path)
			for _, part := range strings.Split(path, "/") {
				if name := strings.Trim(part, "{}"); name != part && !slices.ContainsFunc(o.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "path" }) {
					t.Errorf("%s %s: parameter %s is not documented", method, path, name)
				}
			}
		}
	}
	for _, r := range (&Server{}).routes() {
		want = append(want, r.method+" "+r.path)
		if open := doc.Paths[r.path][strings.ToLower(r.method)].Security != nil; open != r.open {
			t.Errorf("%s %s: documented as open: %v", r.method, r.path, open)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented %v, want %v", got, want)
	}
}

// The document knows a customer as the contract does.
func TestOpenAPICustomer(t *testing.T) {
	doc := readOpenAPI(t)
	same(t, doc, "Customer", doc.Components.Schemas["Customer"], reflect.TypeFor[events.Customer]())
}

func same(t *testing.T, doc *openAPI, in string, s schema, of reflect.Type) {
	t.Helper()
	var want []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
		value := field.Type
		if value.Kind() == reflect.Struct {
			if v, ok := value.FieldByName("V"); ok { // of an Opt
				value = v.Type
			}
		}
		below := doc.resolve(s.Properties[name])
		if value.Kind() == reflect.Slice && below.Items != nil {
			value, below = value.Elem(), doc.resolve(*below.Items)
		}
		if value.Kind() == reflect.Struct && below.Properties != nil {
			same(t, doc, in+"."+name, below, value)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, want) {
		t.Errorf("%s: documented %v, want %v", in, got, want)
	}
}

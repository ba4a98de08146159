package api

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

type openAPI struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]operation `json:"paths"`
}

type operation struct {
	Security   *[]any `json:"security"`
	Parameters []struct {
		Name, In string
	} `json:"parameters"`
	RequestBody *struct{}           `json:"requestBody"`
	Responses   map[string]response `json:"responses"`
}

type response struct {
	Content map[string]any `json:"content"`
}

func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	var doc openAPI
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

// schemaAt compiles the schema at a JSON pointer of the document.
func schemaAt(t *testing.T, pointer ...string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	at := "openapi.json#"
	for _, token := range pointer {
		token = strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
		at += "/" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(token)
	}
	schema, err := c.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// documented says that an answer is one that the document promises.
func (r *rig) documented(req *http.Request, a *answer) {
	r.t.Helper()
	_, pattern := r.server.Handler().(*http.ServeMux).Handler(req)
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		return // no address of ours, or not with this method
	}
	method = strings.ToLower(method)
	status := strconv.Itoa(a.status)
	promised, ok := readOpenAPI(r.t).Paths[path][method].Responses[status]
	if !ok {
		r.t.Errorf("%s: status %s is not documented: %s", pattern, status, a.body)
		return
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if _, ok := promised.Content[kind]; err != nil || !ok {
		r.t.Errorf("%s: %s with %q is not documented", pattern, status, kind)
		return
	}
	if a.status == http.StatusOK {
		r.seen[method+" "+path] = true
	}
	if kind == "text/event-stream" {
		return
	}
	schema := schemaAt(r.t, "paths", path, method, "responses", status, "content", kind, "schema")
	docs := []string{a.body}
	if kind == "application/x-ndjson" {
		docs = slices.Collect(strings.Lines(a.body))
	}
	for _, doc := range docs {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			r.t.Errorf("%s: %s is not as documented: %v\n%s", pattern, status, err, doc)
		}
	}
}

// The document and the handlers have the same routes, take the same parameters,
// and say the same of tokens.
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
				if name := strings.Trim(part, "{}"); name != part && !slices.Contains(o.in("path"), name) {
					t.Errorf("%s %s: parameter %s is not documented", method, path, name)
				}
			}
			if o.RequestBody != nil && method != "post" {
				t.Errorf("%s %s has a body", method, path)
			}
		}
	}
	for _, r := range (&Server{}).routes() {
		want = append(want, r.method+" "+base+r.path)
		o := doc.Paths[base+r.path][strings.ToLower(r.method)]
		if open := o.Security != nil; open != r.open {
			t.Errorf("%s %s: documented as open: %v", r.method, r.path, open)
		}
		params := slices.Clone(r.params)
		slices.Sort(params)
		if have := o.in("query"); !slices.Equal(have, params) {
			t.Errorf("%s %s: documented with %v, takes %v", r.method, r.path, have, params)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented %v, want %v", got, want)
	}
}

func (o *operation) in(where string) (names []string) {
	for _, p := range o.Parameters {
		if p.In == where {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// The document holds schemas that can be used, each of them.
func TestOpenAPISchemas(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	for name := range doc.Components.Schemas {
		schemaAt(t, "components", "schemas", name)
	}
}

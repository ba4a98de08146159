package events

import "github.com/custsync/custsync/internal/scan"

// salvage looks through an event that can't be used for whose it is and which
// version it has, and fills in that much. It succeeds only where nothing has to
// be guessed: the document is valid JSON, and everything that says whose it is
// agrees with the tokens.
func salvage(data []byte, shopToken, customerToken string, ev *Event) bool {
	ev.reset()
	shop, customer, err := tokens(shopToken, customerToken)
	if err != nil {
		return false
	}
	found := scraps{s: scan.New(data)}
	found.read()
	if found.s.End() != nil || found.twice || found.source != "/shops/"+shop || found.subject != customer || found.customer != customer {
		return false
	}
	if found.time != "" && !readTime(found.time, &ev.Time) {
		return false
	}
	ev.ID, ev.Type, ev.Shop = found.id, Type(found.kind), shop
	ev.Customer.ID, ev.Customer.Version = customer, found.version
	return !found.badVersion && ev.settleVersion() == nil
}

// scraps are the fields that salvage looks for; one of another kind counts as
// absent.
type scraps struct {
	s                               scan.Scanner
	id, kind, source, subject, time string
	customer                        string
	version                         Opt[int64]
	badVersion, twice, dataSeen     bool
}

func (f *scraps) read() {
	for key, ok := f.s.Object(); ok; key, ok = f.s.Field() {
		switch key {
		case "id":
			f.text(&f.id)
		case "type":
			f.text(&f.kind)
		case "source":
			f.text(&f.source)
		case "subject":
			f.text(&f.subject)
		case "time":
			f.text(&f.time)
		case "data":
			f.data()
		default:
			f.s.Skip()
		}
	}
}

func (f *scraps) data() {
	f.twice = f.twice || f.dataSeen
	f.dataSeen = true
	if f.s.Kind() != scan.Object {
		f.s.Skip()
		return
	}
	for key, ok := f.s.Object(); ok; key, ok = f.s.Field() {
		switch key {
		case "id":
			f.text(&f.customer)
		case "version":
			f.number()
		default:
			f.s.Skip()
		}
	}
}

func (f *scraps) text(v *string) {
	if f.s.Kind() != scan.String {
		f.s.Skip()
		return
	}
	f.twice = f.twice || *v != ""
	*v = f.s.Text()
}

// number reads the version on a scanner of its own, so that a bad one does not
// end the reading.
func (f *scraps) number() {
	f.twice = f.twice || f.version.State != Absent
	raw := f.s.Skip()
	d := decoder{s: scan.New(raw)}
	d.version(&f.version)
	f.badVersion = f.badVersion || d.s.Err() != nil
}

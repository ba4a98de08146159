package events

import "strings"

// DisplayName returns the customer's full name, or, where that is absent, what
// there is of first, middle and last name. It is empty if nothing is known or
// the full name is to be cleared.
func (c *Customer) DisplayName() string {
	if c.FullName.State == Null {
		return ""
	}
	if name := strings.TrimSpace(c.FullName.V); name != "" {
		return name
	}
	var room [3]string
	parts := room[:0]
	for _, part := range [...]Opt[string]{c.FirstName, c.MiddleName, c.LastName} {
		if name := strings.TrimSpace(part.V); name != "" {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, " ")
}

// AllEmails returns the customer's addresses, the primary first. Blank ones are
// left out, as are those given before in whatever case.
func (c *Customer) AllEmails() []string {
	return all(c.Email, c.Emails, strings.EqualFold)
}

// AllPhones returns the customer's phones, the primary first. Blank ones are left
// out, as are those given before in another spelling of the same digits.
func (c *Customer) AllPhones() []string {
	return all(c.Phone, c.Phones, func(a, b string) bool {
		return a == b || digits(a) != "" && digits(a) == digits(b)
	})
}

func all(first Opt[string], others Opt[[]string], same func(a, b string) bool) []string {
	var list []string
	add := func(v string) {
		if v = strings.TrimSpace(v); v == "" {
			return
		}
		for _, known := range list {
			if same(known, v) {
				return
			}
		}
		list = append(list, v)
	}
	add(first.V)
	for _, v := range others.V {
		add(v)
	}
	return list
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

package sandbox

import (
	"testing"
)

// TestEveryProviderMeetsRowFaults checks that the faults of a row reach it at
// every provider, and that an answer without the row's result has none.
func TestEveryProviderMeetsRowFaults(t *testing.T) {
	for name, test := range map[string]struct {
		provider           Provider
		method, path, body string
		header             map[string]string
		lost               string
	}{
		"aplaut":     {&Aplaut{}, "PUT", "/consumers/1", `{"data":{"type":"consumers","attributes":{}}}`, map[string]string{"Authorization": "Bearer t"}, `{}`},
		"ecomcharge": {&EComCharge{}, "POST", "/customers", ecomSample, nil, `{}`},
		"thulium":    {&Thulium{}, "POST", "/api/batch/customers", oneCustomer, nil, `{}`},
		"virtualpos": {&VirtualPOS{}, "POST", "/api/customer/update?apikey=k&external_id=c1&create_if_not_exist=1&format=json", "fname=A", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, test.provider)
			c.header = test.header
			test.provider.Faults().Set(Fault{Kind: RowError, Status: 500, Times: 1}, Fault{Kind: RowLost, Times: 1})
			if status, body := c.call(test.method, test.path, test.body); status == 200 && name != "thulium" {
				t.Errorf("row error: got %d %s, want a refusal", status, body)
			}
			if got := test.provider.Book().Len(); got != 0 {
				t.Errorf("after a row error: got %d records, want none", got)
			}
			if _, body := c.call(test.method, test.path, test.body); body != test.lost {
				t.Errorf("row lost: got %s, want %s", body, test.lost)
			}
			if got := test.provider.Book().Len(); got != 1 {
				t.Errorf("after a lost result: got %d records, want 1", got)
			}
		})
	}
}

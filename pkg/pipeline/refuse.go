package pipeline

// refusals notices that a provider refuses everything for one reason: then the
// destination is blocked instead of writing a letter for every customer.
type refusals struct {
	fingerprint string // of the last refusal
	rows        int    // refused with it, none delivered in between
	accepted    string // a person said that this refusal is to be taken
	active      bool
}

// A destination is taken to refuse everything after two full batches of rows,
// within these bounds. A row that was halved out of a refused batch counts for
// isolatedWeight rows, since its neighbours were refused with it.
const (
	minRefused     = 50
	maxRefused     = 200
	isolatedWeight = 5
)

// note counts a refused row and reports whether it is to be taken as the row's
// fault; false means that the provider refuses everything.
func (r *refusals) note(fingerprint string, isolated bool, batchRows int) (rowAtFault bool) {
	if fingerprint != r.fingerprint {
		r.fingerprint, r.rows = fingerprint, 0
	}
	if fingerprint == r.accepted {
		return true
	}
	if isolated {
		r.rows += isolatedWeight
	} else {
		r.rows++
	}
	r.active = r.rows > min(max(2*batchRows, minRefused), maxRefused)
	return !r.active
}

// went notes that a row was taken.
func (r *refusals) went() { r.rows, r.active = 0, false }

// accept takes the present refusal as the provider's word on each row.
func (r *refusals) accept() {
	r.accepted, r.rows, r.active = r.fingerprint, 0, false
}

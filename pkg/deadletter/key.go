package deadletter

import (
	"strconv"
	"strings"

	"github.com/custsync/custsync/pkg/ledger"
)

// Key is the letter's customer as the ledger names it.
func (l *Letter) Key() ledger.Key {
	return strconv.Itoa(l.Partition) + "." + l.Shop + "." + l.Customer
}

// SetKey names the letter's customer. What is no key leaves the letter without one.
func (l *Letter) SetKey(key ledger.Key) {
	partition, tail, _ := strings.Cut(key, ".")
	n, err := strconv.Atoi(partition)
	if err != nil {
		return
	}
	l.Partition = n
	l.Shop, l.Customer, _ = strings.Cut(tail, ".")
}

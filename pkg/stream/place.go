package stream

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrNoShard says that the shard was never laid out.
var ErrNoShard = errors.New("the shard is not laid out")

// Place names one shard of one destination. Generation counts the changes of
// the number of shards.
type Place struct {
	Destination string
	Generation  int
	Shards      int // of the destination in this generation; it divides the number of partitions
	ID          int // 0 to Shards-1
}

func (p Place) String() string {
	return p.Destination + "-" + strconv.Itoa(p.Generation) + "-" + strconv.Itoa(p.ID)
}

func (p Place) cursor() string {
	return cursorKey + p.Destination + "." + strconv.Itoa(p.Generation) + "." + strconv.Itoa(p.ID)
}

// partitions are those of the shard: from the first up to, not including, the last.
func (p Place) partitions(all int) (first, last int) {
	return p.ID * all / p.Shards, (p.ID + 1) * all / p.Shards
}

// filters select what lies in the shard's partitions under a prefix.
func (p Place) filters(prefix string, partitions int) []string {
	var filters []string
	first, last := p.partitions(partitions)
	for n := first; n < last; n++ {
		filters = append(filters, prefix+strconv.Itoa(n)+".>")
	}
	return filters
}

func (p Place) check(partitions int) error {
	switch {
	case p.Destination == "":
		return errors.New("shard: it names no destination")
	case p.Shards < 1 || partitions%p.Shards != 0:
		return fmt.Errorf("destination %s: %d shards don't divide %d partitions", p.Destination, p.Shards, partitions)
	case p.ID < 0 || p.ID >= p.Shards:
		return fmt.Errorf("destination %s: there is no shard %d of %d", p.Destination, p.ID, p.Shards)
	}
	return nil
}

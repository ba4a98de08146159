package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is the shape of the streams.
type Config struct {
	Partitions int // of the customers; 32. It is for ever: changing it means a new stream
	Replicas   int // of every stream; 1
	History    int // messages kept of each customer; 4
	// Synced says that the server is known to have on the disk what it
	// acknowledges. Otherwise it is measured what is cheaper to write to.
	Synced bool
}

func (c Config) withDefaults() Config {
	if c.Partitions == 0 {
		c.Partitions = 32
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.History == 0 {
		c.History = 4
	}
	return c
}

// Streams is JetStream as custsync uses it. Its methods may be called from
// several goroutines at once.
type Streams struct {
	config Config
	nc     *nats.Conn
	js     jetstream.JetStream
	post   *post
}

const (
	layoutVersion   = "1"
	partitionsField = "custsync_partitions"
	layoutField     = "custsync_layout"

	minMajor, minMinor = 2, 14 // consumers and batches as they are used here

	// headerRoom is what an event's own headers may take beside its largest body.
	headerRoom = 1 << 10

	actionsKept = 90 * 24 * time.Hour
)

// Open returns the streams, after creating those that are missing.
func Open(ctx context.Context, nc *nats.Conn, c Config) (*Streams, error) {
	s, err := connect(nc, c.withDefaults())
	if err != nil {
		return nil, err
	}
	if err := s.make(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// make creates what is missing, and sees that what is there will do.
func (s *Streams) make(ctx context.Context) error {
	for _, want := range s.config.streams() {
		if err := s.ensure(ctx, want); err != nil {
			return err
		}
	}
	if err := s.checkLayout(ctx, true); err != nil {
		return err
	}
	return s.plantSentinel(ctx)
}

// Attach returns the streams as a worker left them, and creates nothing. The
// number of partitions is taken from the stream.
func Attach(ctx context.Context, nc *nats.Conn) (*Streams, error) {
	s, err := connect(nc, Config{}.withDefaults())
	if err != nil {
		return nil, err
	}
	return s, s.checkLayout(ctx, false)
}

func connect(nc *nats.Conn, c Config) (*Streams, error) {
	if err := checkVersion(nc.ConnectedServerVersion()); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return &Streams{config: c, nc: nc, js: js, post: newPost(nc)}, nil
}

// Close gives back what the streams hold of the connection, which stays open.
func (s *Streams) Close() { s.post.close() }

// Partitions is the number of partitions of the customers.
func (s *Streams) Partitions() int { return s.config.Partitions }

func checkVersion(version string) error {
	if version == "" {
		return errNotConnected
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("the NATS server's version %q can't be read: %w", version, err)
	}
	if major < minMajor || major == minMajor && minor < minMinor {
		return fmt.Errorf("the NATS server is %s: custsync needs %d.%d or newer; update the server", version, minMajor, minMinor)
	}
	return nil
}

// streams are the shapes of the contract.
func (c Config) streams() []jetstream.StreamConfig {
	kept := jetstream.StreamConfig{Storage: jetstream.FileStorage, Replicas: c.Replicas, AllowDirect: true}

	customers := kept
	customers.Name = Customers
	customers.Description = "the newest states of every customer"
	customers.Subjects = []string{customersPrefix + "*.*"}
	customers.SubjectTransform = &jetstream.SubjectTransformConfig{
		Source:      customersPrefix + "*.*",
		Destination: fmt.Sprintf("%s{{partition(%d,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}", customersPrefix, c.Partitions),
	}
	customers.MaxMsgsPerSubject = int64(c.History)
	customers.MaxMsgSize = events.MaxSize + headerRoom
	customers.Duplicates = 2 * time.Minute
	customers.AllowAtomicPublish = true
	customers.Metadata = map[string]string{partitionsField: strconv.Itoa(c.Partitions), layoutField: layoutVersion}

	letters := kept
	letters.Name = DeadLetters
	letters.Description = "open dead letters, and the request rows that were refused"
	letters.Subjects = []string{lettersPrefix + ">", rowsPrefix + ">"}
	letters.MaxMsgsPerSubject = 1

	wakeups := kept
	wakeups.Name = Wakeups
	wakeups.Description = "customers to come back to"
	wakeups.Subjects = []string{schedulePrefix + ">", wakePrefix + ">"}
	wakeups.MaxMsgsPerSubject = 1
	wakeups.AllowMsgSchedules = true
	wakeups.AllowRollup = true

	actions := kept
	actions.Name = Actions
	actions.Description = "what people did"
	actions.Subjects = []string{"actions.>"}
	actions.MaxAge = actionsKept

	bucket := kept
	bucket.MaxMsgsPerSubject = 1
	bucket.AllowRollup = true
	bucket.DenyDelete = true
	bucket.AllowAtomicPublish = true
	bucket.Discard = jetstream.DiscardNew

	entries := bucket
	entries.Name = ledgerStream
	entries.Description = "what each destination was last given"
	entries.Subjects = []string{ledgerPrefix + ">"}

	workers := bucket
	workers.Name = workersStream
	workers.Description = "members, leases, layouts and gates"
	workers.Subjects = []string{workersPrefix + ">"}
	workers.AllowMsgTTL = true
	workers.SubjectDeleteMarkerTTL = markerTTL

	return []jetstream.StreamConfig{customers, letters, wakeups, entries, workers, actions}
}

// ensure creates the stream, or sees that the one that is there will do.
func (s *Streams) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	stream, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// Another worker may be creating it just now: the same shape is no error.
		_, err = s.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = s.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	if stream == nil {
		return nil
	}
	have := stream.CachedInfo().Config
	if err := fits(have, want); err != nil {
		return fmt.Errorf("stream %s: %w", want.Name, err)
	}
	// What an operator set beside (placement, bounds, compression) is left alone.
	if want.MaxMsgsPerSubject == 0 {
		want.MaxMsgsPerSubject = -1 // as the server says that there is no bound
	}
	if have.MaxMsgsPerSubject == want.MaxMsgsPerSubject && have.Replicas == want.Replicas {
		return nil
	}
	have.MaxMsgsPerSubject, have.Replicas = want.MaxMsgsPerSubject, want.Replicas
	if _, err := s.js.UpdateStream(ctx, have); err != nil {
		return fmt.Errorf("stream %s: change history or replicas: %w", want.Name, err)
	}
	return nil
}

// fits says whether a stream made by somebody else can be worked with.
func fits(have, want jetstream.StreamConfig) error {
	switch {
	case !slices.Equal(have.Subjects, want.Subjects):
		return fmt.Errorf("its subjects are %v, not %v: it was not made by custsync", have.Subjects, want.Subjects)
	case want.SubjectTransform != nil && have.Metadata[partitionsField] == want.Metadata[partitionsField] &&
		(have.SubjectTransform == nil || *have.SubjectTransform != *want.SubjectTransform):
		return errors.New("its subject transform was changed: set it back, or purge the stream and publish all customers again")
	case want.AllowMsgSchedules && !have.AllowMsgSchedules, want.AllowMsgTTL && !have.AllowMsgTTL,
		want.AllowAtomicPublish && !have.AllowAtomicPublish, !have.AllowDirect:
		return errors.New("it lacks direct gets, schedules, message TTLs or atomic batches: switch them on with `nats stream edit`")
	}
	return nil
}

// checkLayout compares the customers' partitions with the configuration, or
// takes them from the stream.
func (s *Streams) checkLayout(ctx context.Context, demand bool) error {
	stream, err := s.js.Stream(ctx, Customers)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is not there: start a worker first, it creates what is missing", Customers)
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", Customers, err)
	}
	meta := stream.CachedInfo().Config.Metadata
	if v := meta[layoutField]; v != layoutVersion {
		return fmt.Errorf("stream %s has layout %q, this custsync knows %q only: run the version that made it", Customers, v, layoutVersion)
	}
	have, err := strconv.Atoi(meta[partitionsField])
	if err != nil || have < 1 {
		return fmt.Errorf("stream %s has %q for its number of partitions", Customers, meta[partitionsField])
	}
	if demand && have != s.config.Partitions {
		return fmt.Errorf("stream %s has %d partitions, the configuration says %d: set stream.partitions to %d; the number can't be changed later",
			Customers, have, s.config.Partitions, have)
	}
	s.config.Partitions = have
	s.config.Replicas = stream.CachedInfo().Config.Replicas
	s.config.History = int(stream.CachedInfo().Config.MaxMsgsPerSubject)
	return nil
}

// Package stream keeps custsync's state in NATS JetStream: the customers'
// events, what each destination was given of them, dead letters, wake-ups, and
// which worker owns which shard. It implements the ports of package pipeline.
//
// Promises:
//
//   - a feed lends what the stream holds in order and without gaps, whatever
//     happens to the connection, the server or the consumer;
//   - nothing is called stored before JetStream said so, and a write whose
//     answer got lost is looked up before anybody is told of its fate;
//   - the ledger and the leases change by compare-and-set only;
//   - errors and names hold keys and ids, never a customer's data.
//
// # How far a shard is, is kept by its owner
//
// A feed reads with a consumer that needs no acks, and its owner stores in
// WORKERS up to where all is settled. JetStream's own ack floor can't be used:
// CUSTOMERS keeps a few messages of each customer, and when the oldest one makes
// room while it is on loan, the server takes that for an ack. Under AckPolicy
// all that acks everything before it too, settled or not (measured on 2.15.2:
// one eviction acked 21 messages that nobody had touched); acks one by one would
// be right, and cost half of the throughput. A cursor written a few times a
// second costs nothing, the ledger's fence makes repeats harmless, and every
// owner reads with a consumer of its own, so that one which comes back from the
// dead takes nothing away from its successor.
package stream

// Names of the streams and buckets (contract).
const (
	Customers   = "CUSTOMERS"
	DeadLetters = "DEADLETTERS"
	Wakeups     = "WAKEUPS"
	LedgerName  = "LEDGER"
	WorkersName = "WORKERS"
	Actions     = "ACTIONS"
)

const (
	ledgerStream  = "KV_" + LedgerName
	workersStream = "KV_" + WorkersName
	ledgerPrefix  = "$KV." + LedgerName + "."
	workersPrefix = "$KV." + WorkersName + "."

	customersPrefix = "customers."
	lettersPrefix   = "deadletters."
	rowsPrefix      = "rows."
	schedulePrefix  = "at."
	wakePrefix      = "wake."
)

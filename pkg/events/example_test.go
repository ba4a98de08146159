package events_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/custsync/custsync/pkg/events"
)

func ExamplePublisher() {
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	publisher := &events.Publisher{Conn: nc}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ack, err := publisher.Publish(ctx, "acme", events.Customer{
		ID:      "347771386",
		Version: events.Some[int64](12), // grows with every change; absent: the time of the call
		Email:   events.Some("jan@example.com"),
		Phone:   events.Clear[string](), // the shop knows that there is none
		Address: events.Some(events.Address{City: events.Some("Warszawa"), Country: events.Some("PL")}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ack.Seq, ack.Duplicate)
}

func ExamplePublisher_PublishAsync() {
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	publisher := &events.Publisher{Conn: nc, MaxPending: 1000}

	// Without an end it would go on trying for as long as the server is away.
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for i := range 100_000 {
		ev := &events.Event{Shop: "acme", Customer: events.Customer{ID: fmt.Sprint(i), VIP: events.Some(true)}}
		if err := publisher.PublishAsync(ctx, ev, nil); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := publisher.Wait(ctx); err != nil {
		fmt.Println(err)
	}
}

// PublishAsync waits for room while MaxPending events are in flight, so that a
// batch of any size needs bounded memory. done tells what became of each.
func ExamplePublisher_PublishAsync_done() {
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	publisher := &events.Publisher{Conn: nc}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, id := range []string{"1", "2", "3"} {
		ev := &events.Event{Shop: "acme", Customer: events.Customer{ID: id, Version: events.Some[int64](7)}}
		err := publisher.PublishAsync(ctx, ev, func(ack events.Ack, err error) {
			if err != nil {
				fmt.Println(id, "is not stored:", err) // publish it again, under the same version
			}
		})
		if err != nil {
			fmt.Println(id, "can't be published:", err)
		}
	}
	if err := publisher.Wait(ctx); err != nil {
		fmt.Println(err)
	}
}

func ExamplePublisher_Delete() {
	// A shop that may hear answers below a prefix of its own only says so.
	nc, err := nats.Connect("tls://nats.example:4222", nats.UserCredentials("acme.creds"), nats.CustomInboxPrefix("_INBOX_acme"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	publisher := &events.Publisher{Conn: nc}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := publisher.Delete(ctx, "acme", "347771386", events.Some[int64](13)); err != nil {
		fmt.Println(err)
	}
}

func ExampleCustomer() {
	data, err := json.Marshal(events.Customer{
		ID:         "347771386",
		FirstName:  events.Some("Olga"),
		MiddleName: events.Clear[string](),
		Consents:   events.Some(events.Consents{Email: events.Some(true)}),
	})
	fmt.Println(string(data), err)
	// Output: {"id":"347771386","first_name":"Olga","middle_name":null,"consents":{"email":true}} <nil>
}

func ExampleDecode() {
	doc := []byte(`{"specversion":"1.0","id":"01JD","source":"/shops/acme","type":"customer.changed.v1","subject":"a.b@c",
		"time":"2026-11-22T10:00:00Z","data":{"id":"a.b@c","email":["no","list"]}}`)
	var ev events.Event
	err := events.Decode(doc, "acme", events.EscapeToken("a.b@c"), time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC), &ev)
	fmt.Println(err)
	// Output: undecodable event: data.email: want string, got array at offset 165
}

func ExampleIngestSubject() {
	fmt.Println(events.IngestSubject("acme", "a.b@c"))
	// Output: customers.acme.a=2Eb=40c
}

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

	ctx := context.Background()
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

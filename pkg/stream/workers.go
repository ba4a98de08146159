package stream

import "time"

// markerTTL is how long the bucket of workers tells that a record ran out.
const markerTTL = time.Second

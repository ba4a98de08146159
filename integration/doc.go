// Package integration holds the product to its promises as an operator meets
// them: the real binaries, a real NATS, stand-ins of the providers over real
// HTTP, and signals.
//
// The scripts in testdata run on any machine and read as pages of the manual.
// The tests with containers put NATS, the stand-ins and workers on private
// networks and take them away; they need a Docker engine and say loudly where
// there is none. With CI=true that is a failure.
//
// It is a module of its own, so that what drives containers is no dependency of
// the product.
package integration

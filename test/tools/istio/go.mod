// Pins Istio's API module: its CustomResourceDefinitions are installed in the test cluster.
module hitless.io/test/tools/istio

go 1.26

require istio.io/api v1.31.4

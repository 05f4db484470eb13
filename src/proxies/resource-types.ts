/** The types of what istiod sends, by their URLs in Envoy's discovery protocol. */
export const TYPES = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  /** istiod's own: what its debug interface says, over this protocol (pilot/pkg/xds/debuggen.go). */
  debug: 'istio.io/debug'
} as const

/** What decides where a proxy sends requests; of other types nobody knows when they are acknowledged. */
export const ROUTING = [TYPES.cluster, TYPES.endpoint, TYPES.listener, TYPES.route]

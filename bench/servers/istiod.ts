/** An istiod with so many proxies, all of which have everything: what asking it costs is measured from another process. */
import { TYPES } from '../../src/proxies/resource-types.ts'
import { cluster, nonce, response, serveIstiod, synczResponse } from '../../test/proxies/istiod.ts'

const [count = '0', ...names] = process.argv.slice(2)
/** What an Envoy watches; istiod says it of each. */
const WATCHED = [
  TYPES.cluster,
  TYPES.endpoint,
  TYPES.listener,
  TYPES.route,
  'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
]
const state = { sent: nonce(7), acked: nonce(7), sentTime: '2026-11-27T14:00:00.123456789Z' }
const proxies = Array.from({ length: Number(count) }, (_, at) => ({
  cluster_id: 'Kubernetes',
  proxy: `reviews-v1-5c8f7d9d4-${at}.shop`,
  proxy_type: 'sidecar',
  istio_version: '1.31.0',
  cluster_sent: nonce(7),
  cluster_acked: nonce(7),
  listener_sent: nonce(7),
  listener_acked: nonce(7),
  route_sent: nonce(7),
  route_acked: nonce(7),
  endpoint_sent: nonce(7),
  endpoint_acked: nonce(7),
  resources: Object.fromEntries(WATCHED.map((type) => [type, state]))
}))
const syncz = synczResponse(7, JSON.stringify(proxies))
const clusters = response(TYPES.cluster, 7, names.map(cluster))
let asked = 0
const { target, ca } = await serveIstiod(({ type, nonce: acked }, stream) => {
  asked += 1
  if (type === TYPES.debug) stream.write(syncz)
  else if (acked === '') stream.write(clusters)
})
process.on('message', () => process.send?.({ asked, bytes: syncz.length }))
process.send?.({ target, ca })

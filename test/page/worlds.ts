/** A small mesh for the page: a split, a version without a Pod, a host without a fallback, a gateway. */
import { type MeshObject, parseObject } from '../../src/kinds/index.ts'
import { readManifests } from '../../src/manifests/manifests.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'

const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: shop}
spec: {host: ${name}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---`
const workload = (name: string, version: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}-${version}, namespace: shop}
spec: {replicas: ${replicas}, selector: {matchLabels: {app: ${name}, version: ${version}}}, template: {metadata: {labels: {app: ${name}, version: ${version}}}}}
---`

export const split = (v1: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}, weight: ${v1}}, {destination: {host: reviews, subset: v2}, weight: ${100 - v1}}]
---`

const WORLD = `${service('reviews')}${workload('reviews', 'v1', 3)}${workload('reviews', 'v2', 2)}${split(75)}
${service('ratings')}${workload('ratings', 'v1', 2)}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings, namespace: shop}
spec: {hosts: [ratings], http: [{route: [{destination: {host: ratings, subset: v1}, weight: 90}, {destination: {host: ratings, subset: v2}, weight: 10}]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: ingress}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: storefront, namespace: shop}
spec: {hosts: [shop.example.com], gateways: [ingress/edge], http: [{route: [{destination: {host: reviews}}]}]}
`

export function objectsOf(text: string): MeshObject[] {
  return readManifests(['-'], () => text).manifests.flatMap(({ object }) => (object === null ? [] : [object]))
}

export function shop(): Sandbox {
  const sandbox = new Sandbox()
  for (const object of objectsOf(WORLD)) sandbox.load(object)
  return sandbox
}

/** Services with nothing behind them. */
export function manyHosts(count: number): Sandbox {
  const sandbox = new Sandbox()
  for (let at = 0; at < count; at++) {
    const raw = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `s${at}`, namespace: 'many' },
      spec: { selector: { app: `s${at}` }, ports: [{ name: 'http', port: 80 }] }
    }
    const object = parseObject(raw, DEFAULT_DOMAIN)
    if (object !== null) sandbox.load(object)
  }
  return sandbox
}

/** The start of small worlds in YAML: the Service `reviews` of namespace `prod`, two replicas of its v1, and a subset for each of v1 and v2. */
export function reviews(ports = '{name: http, port: 80}', replicas = 2): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: prod}
spec: {selector: {app: reviews}, ports: [${ports}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1, namespace: prod}
spec: {replicas: ${replicas}, template: {metadata: {labels: {app: reviews, version: v1}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: prod}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---`
}

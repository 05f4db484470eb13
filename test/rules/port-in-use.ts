import { deployment, guide, service } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const ports = (...list: Record<string, unknown>[]) => service({ ports: list })
const named = { containers: [{ name: 'app', image: 'example/helloworld', ports: [{ name: 'web', containerPort: 8080 }] }] }
const withPort = (version: string) =>
  deployment(version, { template: { metadata: { labels: { app: 'helloworld', version } }, spec: named } })
const NAMED = [
  ...guide().filter(({ kind }) => kind !== 'Deployment' && kind !== 'Service'),
  withPort('v1'),
  ports({ name: 'http', port: 3000, targetPort: 'web' })
]

export const portInUse: RuleExamples = {
  rule: 'port-in-use',
  finds: [
    {
      name: 'the port that is routed to gets another number',
      apply: ports({ name: 'http', port: 4000 }),
      severity: 'deny',
      says: 'First keep port 3000 beside the new one'
    },
    {
      name: 'its target names a container port that no Pod declares',
      given: NAMED,
      apply: ports({ name: 'http', port: 3000, targetPort: 'grpc' }),
      severity: 'deny',
      says: 'a container port named "grpc", which no Ready Pod declares'
    }
  ],
  safe: [
    { name: 'a port more', apply: ports({ name: 'http', port: 3000 }, { name: 'http-admin', port: 4000 }) },
    { name: 'another name of the same protocol', apply: ports({ name: 'http-web', port: 3000 }) },
    { name: 'the port becomes TCP, and the Service answers by default', apply: ports({ name: 'tcp', port: 3000 }) },
    { name: 'the target is the same port by its number', given: NAMED, apply: ports({ name: 'http', port: 3000, targetPort: 8080 }) }
  ]
}

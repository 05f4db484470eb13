/** Objects as they are written, and where the API server has them. */
import { kindModule, kindOf } from '../../src/kinds/index.ts'
import { deployment, type Manifest, service } from '../manifests.ts'
import type { ApiAnswer } from '../rig/api.ts'
import { CONTAINER_PORT } from './containers.ts'

/** For how long a Pod that is to end goes on answering: longer than the proxies need to hear of it, on a busy machine too. */
const PRE_STOP_SECONDS = 2

type Named = Pick<Manifest, 'apiVersion' | 'kind' | 'metadata'>

export function pathOf({ apiVersion, kind, metadata }: Named): string {
  const { group, plural, namespaced } = apiOf(apiVersion, kind)
  const namespace = namespaced ? `namespaces/${String(metadata['namespace'])}/` : ''
  return `/${group === '' ? 'api' : 'apis'}/${apiVersion}/${namespace}${plural}/${String(metadata['name'])}`
}

/** Argo Rollouts works with ReplicaSets, of which hitless takes no notice. */
function apiOf(apiVersion: string, kind: string) {
  if (kind === 'ReplicaSet') return { group: 'apps', plural: 'replicasets', namespaced: true }
  const known = kindOf(apiVersion, kind)
  if (known === null) throw new Error(`the proof does not write ${apiVersion} ${kind}`)
  return kindModule(known).api
}

/** The answer, or an error with what the API server said. */
export async function must<T>(answer: Promise<ApiAnswer<T>>): Promise<T> {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`the API server answered ${status}: ${JSON.stringify(body)}`)
  return body
}

/** The guide's manifests, all written for namespace `default`, in another. */
export function inNamespace<T extends Named>(name: string, manifest: T): T {
  const text = JSON.stringify(manifest)
    .replaceAll('"namespace":"default"', `"namespace":"${name}"`)
    .replaceAll('.default.svc.', `.${name}.svc.`)
  return JSON.parse(text) as T
}

/** The guide's Service, or one beside it, to the port on which the containers listen. */
export function helloworld(selector: Readonly<Record<string, string>> = { app: 'helloworld' }, name = 'helloworld'): Manifest {
  return service({ selector, ports: [{ name: 'http', port: 3000, targetPort: CONTAINER_PORT }] }, { name })
}

/** A Deployment of the guide's, whose Pods answer with the version in their labels. */
export function workload(version: string): Manifest {
  return deployment(version, { template: template({ app: 'helloworld', version }) })
}

/** What a Pod is made of. It ends as it should: it answers until the proxies know. */
export function template(labels: Readonly<Record<string, string>>): Record<string, unknown> {
  const container = { name: 'app', image: 'example/helloworld', lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } } }
  return { metadata: { labels }, spec: { containers: [container] } }
}

/** A cluster in which the chart is installed, and somebody who writes to its mesh all the while. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthority, issue, type KeyPair } from '../../src/certificates/self-signed.ts'
import { destinationRule, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'
import type { KubernetesObject } from '../rig/api.ts'
import { type ControlPlane, type KubectlResult, startControlPlane } from '../rig/control-plane.ts'
import { type HelmResult, helm } from './helm.ts'
import { type ChartPods, chartPods } from './pods.ts'
import { startWriter, type Writer } from './writer.ts'

const NAMESPACE = 'hitless-system'
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=app.kubernetes.io/name=hitless`
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hitless-hitless-system'
const KINDS = [
  'deployments,replicasets,services,serviceaccounts,configmaps,secrets,leases,jobs,poddisruptionbudgets,networkpolicies',
  'roles,rolebindings,clusterroles,clusterrolebindings,validatingwebhookconfigurations'
].join()

export interface Configuration extends KubernetesObject {
  readonly webhooks: readonly {
    readonly name: string
    readonly failurePolicy: string
    readonly clientConfig: { readonly caBundle?: string }
  }[]
}

export interface RunningPod extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly uid: string }
  readonly status: { readonly podIP?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export interface Release {
  readonly plane: ControlPlane
  readonly pods: ChartPods
  readonly writer: Writer
  /** All requests to v1, as at the start. */
  readonly all: Manifest
  /** The path of the webhook configuration. */
  readonly path: string
  helm(...args: readonly string[]): Promise<HelmResult>
  apply(...manifests: readonly Manifest[]): Promise<KubectlResult>
  /** Tries to send half of the requests to a subset that nobody defined. */
  toNobody(): Promise<KubectlResult>
  running(): Promise<readonly RunningPod[]>
  /** How many Pods are Ready and not about to end. */
  ready(): Promise<number>
  configuration(): Promise<Configuration | null>
  policies(): Promise<Readonly<Record<string, string>>>
  /** PEM of what the API server trusts. */
  bundle(): Promise<string>
  /** Resolves with the milliseconds that it took. */
  until(what: string, holds: () => Promise<boolean>): Promise<number>
  failsClosed(): Promise<number>
  /** Names of all objects that have hitless in theirs. */
  left(): Promise<string[]>
  stop(): Promise<void>
}

/** Starts the cluster, with the mesh written to and nothing installed yet. */
export async function startRelease(): Promise<Release> {
  const pods = chartPods()
  const plane = await startControlPlane({
    containers: pods,
    // It picks a Pod behind the Service by itself, where there is no kube-proxy to do so; and it finds no default route to tell its address by.
    apiServerFlags: ['--enable-aggregator-routing=true', '--advertise-address=10.244.255.254']
  })
  pods.attach(plane)
  const apply = (...manifests: readonly Manifest[]) =>
    plane.kubectl(['apply', '-n', 'default', '-f', '-'], { input: manifests.map((each) => JSON.stringify(each)).join('\n---\n') })
  const all = virtualService([rule([to('v1')])])
  // Istio is there before: in its namespace the chart grants what is read of it.
  const { code, stderr } = await apply(namespace('istio-system'), service({ selector: null }), destinationRule(['v1']), all)
  if (code !== 0) throw new Error(stderr)
  const writer = startWriter(plane.api, '/apis/networking.istio.io/v1/namespaces/default/virtualservices/helloworld')

  const configuration = async () => {
    const { status, body } = await plane.api.request<Configuration>('GET', CONFIGURATION)
    return status === 200 ? body : null
  }
  const policies = async () =>
    Object.fromEntries((await configuration())?.webhooks.map(({ name, failurePolicy }) => [name.split('.')[0], failurePolicy]) ?? [])
  const running = async () => (await plane.api.request<{ items: RunningPod[] }>('GET', PODS)).body.items
  const until = async (what: string, holds: () => Promise<boolean>) => {
    const started = performance.now()
    while (!(await holds())) {
      if (performance.now() - started > 60_000) throw new Error(`${what}: not within a minute\n${pods.log().slice(-4000)}`)
      await sleep(50)
    }
    return Math.round(performance.now() - started)
  }
  return {
    plane,
    pods,
    writer,
    all,
    path: CONFIGURATION,
    helm: (...args) => helm(...args, '--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig),
    apply,
    toNobody: () => apply(virtualService([rule([to('v1', 50), to('v2', 50)])])),
    running,
    ready: async () => (await running()).filter(isReady).length,
    configuration,
    policies,
    bundle: async () => Buffer.from((await configuration())?.webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString('utf8'),
    until,
    failsClosed: () => until('routes fail closed', async () => (await policies())['routes'] === 'Fail'),
    left: async () => {
      const { code: failed, stdout, stderr: why } = await plane.kubectl(['get', KINDS, '-A', '-o', 'name'])
      if (failed !== 0) throw new Error(why)
      return stdout.split('\n').filter((line) => line.includes('hitless'))
    },
    stop: async () => {
      await writer.stop()
      await pods.close()
      await plane.stop()
    }
  }
}

/** A pair for the Service, as its owner brings one: in the Secret `own`, with the authority that signed it. */
export async function ownPair(authority?: KeyPair): Promise<{ authority: string; secret: Manifest }> {
  const now = { nowMs: Date.now(), days: 30 }
  const signer = authority ?? (await createAuthority(now))
  const { certificate, key } = await issue(signer, ['hitless.hitless-system.svc'], now)
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'own', namespace: NAMESPACE },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': certificate, 'tls.key': key }
  }
  return { authority: signer.certificate, secret }
}

function isReady({ metadata, status }: RunningPod): boolean {
  const condition = status.conditions?.find(({ type }) => type === 'Ready')
  return metadata.deletionTimestamp === undefined && condition?.status === 'True'
}

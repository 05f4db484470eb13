/** AdmissionReviews as a real API server sends them, captured from 1.36; tests change one field at a time. */
import { guide, type Manifest } from '../manifests.ts'

export type Review = { apiVersion: string; kind: string; request: Record<string, unknown> }

export const UID = '705ab4f5-6393-11e8-b7cc-42010a800002'

const PLURALS: Readonly<Record<string, string>> = {
  VirtualService: 'virtualservices',
  DestinationRule: 'destinationrules',
  Gateway: 'gateways',
  Service: 'services',
  Deployment: 'deployments',
  ConfigMap: 'configmaps'
}

/** The guide's object of a kind, with what the API server adds to it. */
export function stored(kind: string): Manifest {
  const manifest = guide().find((each) => each.kind === kind)
  if (manifest === undefined) throw new Error(`the guide has no ${kind}`)
  return {
    ...manifest,
    metadata: { ...manifest.metadata, uid: 'b1', resourceVersion: '7', creationTimestamp: '2026-11-01T10:00:00Z', generation: 1 }
  }
}

export function create(object: Manifest, request: Record<string, unknown> = {}): Review {
  const options = { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-client-side-apply' }
  return review(object, { operation: 'CREATE', object, oldObject: null, options, ...request })
}

export function update(oldObject: Manifest, object: Manifest, request: Record<string, unknown> = {}): Review {
  const options = { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-client-side-apply' }
  return review(object, { operation: 'UPDATE', object, oldObject, options, ...request })
}

export function remove(oldObject: Manifest, request: Record<string, unknown> = {}): Review {
  const options = { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', propagationPolicy: 'Background' }
  return review(oldObject, { operation: 'DELETE', object: null, oldObject, options, ...request })
}

/** `kubectl scale`: a count of 0 is left out, since ScaleSpec omits empty values. */
export function scale(name: string, from: number, to: number): Review {
  const spec = (replicas: number) => (replicas === 0 ? {} : { replicas })
  const object = (replicas: number): Manifest => ({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace: 'default', uid: 'd1', resourceVersion: '9' },
    spec: spec(replicas),
    status: { replicas: from, selector: 'app=helloworld,version=v1' }
  })
  return review(object(to), {
    operation: 'UPDATE',
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    subResource: 'scale',
    object: object(to),
    oldObject: object(from),
    options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' }
  })
}

function review({ apiVersion, kind, metadata }: Manifest, request: Record<string, unknown>): Review {
  const slash = apiVersion.indexOf('/')
  const group = slash === -1 ? '' : apiVersion.slice(0, slash)
  const version = apiVersion.slice(slash + 1)
  const resource = { group, version, resource: PLURALS[kind] ?? kind.toLowerCase() }
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: UID,
      kind: { group, version, kind },
      resource,
      requestKind: { group, version, kind },
      requestResource: resource,
      name: metadata['name'],
      namespace: metadata['namespace'],
      userInfo: { username: 'alice', groups: ['developers', 'system:authenticated'] },
      dryRun: false,
      ...request
    }
  }
}

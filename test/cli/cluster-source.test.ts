import t from 'tap'
import { sourceOf } from '../../src/cli/cluster-source.ts'

const POD = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443', HOME: '/root' }
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const hasToken = (path: string) => path === TOKEN
const none = { kubeconfig: null, context: null }

t.test('in a Pod its service account is used', async (t) => {
  const { server, directory } = sourceOf({}, POD, hasToken).serviceAccount ?? {}
  t.strictSame([server, directory], ['https://10.96.0.1:6443', '/var/run/secrets/kubernetes.io/serviceaccount'])
  t.equal(sourceOf({}, { ...POD, KUBERNETES_SERVICE_HOST: 'fd00::1' }, hasToken).serviceAccount?.server, 'https://[fd00::1]:6443')
})

t.test('a kubeconfig comes before it, named or found', async (t) => {
  t.strictSame(sourceOf({ kubeconfig: 'file' }, POD, hasToken), { ...none, kubeconfig: 'file' })
  t.strictSame(sourceOf({ context: 'other' }, POD, hasToken), { ...none, context: 'other' })
  t.strictSame(sourceOf({}, { ...POD, KUBECONFIG: 'file' }, hasToken), none)
  t.strictSame(
    sourceOf({}, POD, (path) => hasToken(path) || path === '/root/.kube/config'),
    none
  )
})

t.test('outside of a Pod there is none', async (t) => {
  t.strictSame(
    sourceOf({}, { HOME: '/root' }, () => false),
    none
  )
  t.strictSame(
    sourceOf({}, POD, () => false),
    none
  )
})

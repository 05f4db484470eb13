import t from 'tap'
import { type Protocol, parseProtocol, protocolOfPort } from '../../../src/mesh/names/ports.ts'

const port = { name: '', port: 80, targetPort: 80, protocol: 'TCP', appProtocol: '' }

t.test("a port's protocol is told by appProtocol, else by its name up to the first dash (3.7)", async (t) => {
  const cases: readonly [string, Partial<typeof port>, Protocol][] = [
    ['no name is sniffed', {}, 'sniffed'],
    ['a name that is no protocol is sniffed', { name: 'web' }, 'sniffed'],
    ['http', { name: 'http' }, 'http'],
    ['http with a suffix', { name: 'http-admin' }, 'http'],
    ['capitals', { name: 'HTTP2-x' }, 'http'],
    ['http2x is none', { name: 'http2x' }, 'sniffed'],
    ['grpc-web has a dash of its own', { name: 'grpc-web-x' }, 'http'],
    ['tcp with a suffix', { name: 'tcp-db' }, 'tcp'],
    ['redis is TCP', { name: 'redis' }, 'tcp'],
    ['https is not HTTP to Istio', { name: 'https' }, 'tls'],
    ['appProtocol before the name', { name: 'tcp', appProtocol: 'http' }, 'http'],
    ["Kubernetes' own names", { appProtocol: 'kubernetes.io/h2c' }, 'http'],
    ['secure web sockets', { appProtocol: 'kubernetes.io/wss' }, 'tls'],
    ['where the server speaks first', { port: 3306 }, 'tcp'],
    ['UDP whatever its name', { name: 'http', protocol: 'UDP' }, 'udp']
  ]
  for (const [name, fields, expected] of cases) t.equal(protocolOfPort({ ...port, ...fields }), expected, name)
})

t.test('names that JavaScript gives a meaning are no protocols', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString']) t.equal(parseProtocol(name), 'sniffed')
})

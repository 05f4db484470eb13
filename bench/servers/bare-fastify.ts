/** The baseline: a Fastify server that parses a review and allows it, as little as a webhook in Node can do. */
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'

const [cert = '', key = ''] = process.argv.slice(2)
const app = Fastify({ https: { cert: readFileSync(cert), key: readFileSync(key) }, keepAliveTimeout: 95_000 })
app.post<{ Body: { request: { uid: string } } }>('/validate', async ({ body }) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: body.request.uid, allowed: true }
}))
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}/validate\n`)

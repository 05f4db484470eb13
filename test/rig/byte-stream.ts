/** A gRPC server of one method, a stream in both directions whose messages are bytes: what is in them its callers read and write themselves. */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'

export type Stream = ServerDuplexStream<Buffer, Buffer>

/** `path` is `/package.Service/Method`. It listens on a port of loopback that is free. */
export async function serveStream(
  path: string,
  onStream: (stream: Stream) => void,
  credentials: ServerCredentials = ServerCredentials.createInsecure()
): Promise<{ readonly port: number; readonly stop: () => void }> {
  const server = new Server({ 'grpc.max_send_message_length': -1 })
  const asItIs = (bytes: Buffer) => bytes
  const method = {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs
  }
  const stream = (call: Stream) => {
    call.on('error', () => undefined)
    onStream(call)
  }
  server.addService({ stream: method }, { stream })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  )
  return { port, stop: () => server.forceShutdown() }
}

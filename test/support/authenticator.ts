/** An authenticator in software, and the browser before it: makes passkeys and answers with them, rightly or not. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type {
  NewPasskey,
  PasskeyCreationOptions,
  PasskeyRequestOptions,
  SignInWithPasskey,
} from "../../server/contract/passkeys.ts";

/** What to do otherwise than a browser and an authenticator would. */
export interface Deviations {
  origin?: string;
  rpId?: string;
  type?: string;
  challenge?: string;
  isVerified?: boolean;
  isPresent?: boolean;
  counter?: number;
  userHandle?: string;
  /** Signs with a key of its own. */
  isForged?: boolean;
}

interface HeldPasskey {
  id: string;
  userHandle: string;
  privateKey: KeyObject;
  counter: number;
}

type NewCredential = NewPasskey["credential"];
type Assertion = SignInWithPasskey["credential"];

export class Authenticator {
  readonly #origin: string;
  /** Every signature adds as much to the counter; 0 as those of phones and password stores do. */
  readonly #step: number;
  readonly held: HeldPasskey[] = [];

  constructor(origin: string, { step = 1 } = {}) {
    this.#origin = origin;
    this.#step = step;
  }

  create(options: PasskeyCreationOptions, deviations: Deviations = {}): NewCredential {
    const { publicKey, privateKey } = newKey();
    const id = randomBytes(32);
    const passkey = { id: base64url(id), userHandle: options.user.id, privateKey, counter: 0 };
    this.held.push(passkey);
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const coordinate = (text: string) => Buffer.from(text, "base64url");
    const cose = new Map<number, number | Buffer>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, coordinate(x)],
      [-3, coordinate(y)],
    ]);
    const idLength = Buffer.from([id.length >> 8, id.length & 0xff]);
    const attested = Buffer.concat([Buffer.alloc(16), idLength, id, cbor(cose)]);
    const authData = authenticatorData(options.rp.id, 0, deviations, attested);
    const attestation = new Map<string, Cbor>([
      ["fmt", "none"],
      ["attStmt", new Map()],
      ["authData", authData],
    ]);
    return {
      id: passkey.id,
      rawId: passkey.id,
      type: "public-key",
      response: {
        clientDataJSON: base64url(this.#clientData("webauthn.create", options.challenge, deviations)),
        attestationObject: base64url(cbor(attestation)),
        transports: ["internal"],
      },
    };
  }

  /** With the passkey that was made last, unless another is given. */
  get(options: PasskeyRequestOptions, deviations: Deviations = {}, passkey = this.held.at(-1)): Assertion {
    if (!passkey) throw new Error("there is no passkey to answer with");
    passkey.counter += this.#step;
    const authData = authenticatorData(options.rpId, passkey.counter, deviations);
    const clientData = this.#clientData("webauthn.get", options.challenge, deviations);
    const signed = Buffer.concat([authData, sha256(clientData)]);
    const signature = sign("sha256", signed, deviations.isForged ? newKey().privateKey : passkey.privateKey);
    return {
      id: passkey.id,
      rawId: passkey.id,
      type: "public-key",
      response: {
        clientDataJSON: base64url(clientData),
        authenticatorData: base64url(authData),
        signature: base64url(signature),
        userHandle: deviations.userHandle ?? passkey.userHandle,
      },
    };
  }

  #clientData(type: string, challenge: string, deviations: Deviations): Buffer {
    const { origin = this.#origin } = deviations;
    const given = { type: deviations.type ?? type, challenge: deviations.challenge ?? challenge, origin };
    return Buffer.from(JSON.stringify({ ...given, crossOrigin: false }));
  }
}

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest();
const base64url = (content: Buffer) => content.toString("base64url");

/** WebAuthn, section 6.1: sha256 of the rp id, flags (1 present, 4 verified, 64 with a credential), counter, credential. */
function authenticatorData(
  rpId: string,
  counted: number,
  { rpId: given = rpId, isPresent = true, isVerified = true, counter = counted }: Deviations,
  attested = Buffer.alloc(0),
): Buffer {
  const rest = Buffer.alloc(5);
  rest[0] = (isPresent ? 1 : 0) | (isVerified ? 4 : 0) | (attested.length > 0 ? 64 : 0);
  rest.writeUInt32BE(counter, 1);
  return Buffer.concat([sha256(given), rest, attested]);
}

type Cbor = number | string | Buffer | Map<number | string, Cbor>;

/** RFC 8949, as far as attestations need it: numbers and lengths below 65,536. */
function cbor(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, inner]) => [cbor(key), cbor(inner)])]);
}

function head(major: number, count: number): Buffer {
  if (count < 24) return Buffer.from([(major << 5) | count]);
  if (count < 256) return Buffer.from([(major << 5) | 24, count]);
  return Buffer.from([(major << 5) | 25, count >> 8, count & 0xff]);
}

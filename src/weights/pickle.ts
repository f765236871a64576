/**
 * Reads a pickle as data. A pickle is a program for a stack machine. This machine implements the instructions that
 * protocols 2 to 5 use for plain values, and can only call the TypeScript functions that `PickleNames` provides. Calling
 * any other name makes an `Inert` object, whatever the name is in Python: nothing is imported, looked up or run.
 *
 * None, bool, str, float and bytes become null, boolean, string, number and Uint8Array; int becomes a number, or a
 * bigint beyond 2^53; list becomes an array, tuple a `Tuple`, dict a Map (so no key has a meaning in JavaScript), set a
 * Set. Memory use stays proportional to the input: instructions, strings and the stack are limited, and so are the
 * copies made by calls that turn a list into a set or a dict.
 * Reference: https://docs.python.org/3/library/pickletools.html
 */
import { FormatError } from '../errors.ts';
import type { Cursor } from './source.ts';

export class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** The stand-in for a Python name: a value that cannot be called, or a function implemented here. */
export class Named {
  readonly name: string;
  readonly call: ((args: readonly unknown[]) => unknown) | undefined;
  constructor(name: string, call?: (args: readonly unknown[]) => unknown) {
    this.name = name;
    this.call = call;
  }
}

/**
 * An object of a type that is not known here, such as a run's options. It holds nothing: items, entries and attributes
 * are discarded, except for the attributes of a PyTorch module, which are dicts of tensors and of other modules.
 */
export class Inert {
  /** The name that made it. */
  readonly name: string;
  /** Whether it was made from data of a tensor. */
  readonly hasData: boolean;
  /** The attributes of a module. */
  attributes: ReadonlyMap<unknown, unknown> | undefined;

  constructor(name: string, hasData = false) {
    this.name = name;
    this.hasData = hasData;
  }
}

/** Bytes that were left in the file. */
export class BytesInPlace {
  /** Position of the first byte in the pickle's source. */
  readonly start: number;
  readonly length: number;
  constructor(start: number, length: number) {
    this.start = start;
    this.length = length;
  }
}

/** The names that a pickle may refer to. */
export interface PickleNames {
  /** The stand-in for `module.name`, or undefined if it is refused. */
  named(name: string): Named | undefined;
  /** The attributes to keep of an inert object. */
  attributes(object: Inert, state: unknown): ReadonlyMap<unknown, unknown> | undefined;
  /** The object for a persistent id, which PyTorch uses to refer to storages. */
  persistent(id: unknown): unknown;
  /** Whether to leave this many bytes, or a string of them, in the file. Default: no. */
  keepsInPlace?(length: number): boolean;
}

/** About ten times what a 200-layer checkpoint with two copies of its weights and an optimizer takes. */
const instructionLimit = 500_000;
const objectLimit = 100_000;
const stackLimit = 100_000;
const textLimit = 1 << 24;
const integerLimit = 1 << 10;

/**
 * Reads the pickle at the cursor and leaves the cursor after it.
 *
 * @throws FormatError if the pickle is damaged, uses a name that is not allowed, or is too large to hold weights.
 */
export function unpickle(cursor: Cursor, names: PickleNames): unknown {
  return new Machine(cursor, names).run();
}

/** Refuses a file because of a name in it. */
export function refuseName(file: string, name: string): never {
  const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
  const advice = 'If you trust it, save only its weights with torch.save(model.state_dict(), …) and open that file.';
  throw new FormatError(`${file} refers to ${shown}, which weights do not need; none of it was executed. ${advice}`);
}

class Machine {
  readonly cursor: Cursor;
  readonly names: PickleNames;
  readonly stack: unknown[] = [];
  readonly marks: number[] = [];
  readonly memo = new Map<number, unknown>();
  textLeft = textLimit;
  objectsLeft = objectLimit;

  constructor(cursor: Cursor, names: PickleNames) {
    this.cursor = cursor;
    this.names = names;
  }

  run(): unknown {
    for (let count = 0; count < instructionLimit; count += 1) {
      const code = this.cursor.byte();
      if (code === stop) return this.result();
      const instruction = instructions[code];
      if (!instruction) this.refuse(`has the byte 0x${code.toString(16).padStart(2, '0')} instead of an instruction`);
      instruction(this);
      if (this.stack.length > stackLimit) this.refuse(`pushes more than ${stackLimit} values`);
    }
    return this.refuse(`has more than ${instructionLimit} instructions`);
  }

  result(): unknown {
    const value = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) this.refuse('ends with more than one value');
    return value;
  }

  refuse(fault: string): never {
    const { name, position } = this.cursor;
    throw new FormatError(
      `${name}: its pickle ${fault}, before byte ${position}. It is damaged, or does not hold weights.`,
    );
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  /** Pushes a value that takes memory of its own, and counts entries that no instruction added one by one. */
  make(value: unknown, entries = 0): void {
    this.objectsLeft -= 1 + entries;
    if (this.objectsLeft < 0) this.refuse(`makes more than ${objectLimit} objects`);
    this.push(value);
  }

  pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.refuse('pops a value from an empty stack');
    return this.stack.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** Pops the last mark and the values above it. */
  popMark(): unknown[] {
    const mark = this.marks.pop();
    if (mark === undefined) this.refuse('pops to a mark that was not set');
    return this.stack.splice(mark);
  }

  popTuple(length: number): void {
    const items = Array.from({ length }, () => this.pop());
    this.make(new Tuple(items.reverse()));
  }

  pushText(length: number, encoding: 'utf-8' | 'latin1'): void {
    if (this.leaves(length)) return;
    this.push(this.text(this.counted(length), encoding));
  }

  pushBytes(length: number): void {
    if (!this.leaves(length)) this.push(this.counted(length).slice());
  }

  /** Whether these bytes are left in the file; if so, their place is pushed. */
  leaves(length: number): boolean {
    if (length < 0 || this.names.keepsInPlace?.(length) !== true) return false;
    this.push(new BytesInPlace(this.cursor.skip(length), length));
    return true;
  }

  counted(length: number): Uint8Array {
    this.textLeft -= length;
    if (length < 0 || this.textLeft < 0) this.refuse(`has more than ${textLimit} bytes of strings`);
    return this.cursor.bytes(length);
  }

  text(bytes: Uint8Array, encoding: 'utf-8' | 'latin1'): string {
    try {
      return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.refuse('has a string that is not UTF-8');
    }
  }

  line(): string {
    const bytes: number[] = [];
    for (let byte = this.cursor.byte(); byte !== newline; byte = this.cursor.byte()) {
      if (bytes.push(byte) > integerLimit) this.refuse('has a name that is too long');
    }
    return this.text(Uint8Array.from(bytes), 'utf-8');
  }

  pushInteger(length: number): void {
    if (length < 0 || length > integerLimit) this.refuse(`has an integer of ${length} bytes`);
    const bytes = this.cursor.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[i]!);
    value = BigInt.asIntN(8 * length, value);
    this.push(BigInt.asIntN(54, value) === value ? Number(value) : value);
  }

  pushNamed(module: unknown, member: unknown): void {
    if (typeof module !== 'string' || typeof member !== 'string') this.refuse('has a name that is not a string');
    if (module.length + member.length > integerLimit) this.refuse('has a name that is too long');
    const name = `${module}.${member}`;
    const named = this.names.named(name);
    if (!named) refuseName(this.cursor.name, name);
    this.make(named);
  }

  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof Named || callee instanceof Inert)) this.refuse('calls a value that is not a function');
    if (!(args instanceof Tuple)) this.refuse(`calls ${callee.name} without a tuple of arguments`);
    const call = callee instanceof Inert ? () => new Inert(callee.name, callee.hasData) : callee.call;
    if (!call) this.refuse(`calls ${callee.name}, which is not a function`);
    const value = call(args.items);
    this.make(value, value instanceof Map || value instanceof Set ? value.size : 0);
  }

  /** Drops attributes of dicts, such as the version numbers of an OrderedDict. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof Inert) target.attributes = this.names.attributes(target, state);
    else if (!(target instanceof Map && state instanceof Map)) this.refuse('sets the state of an object that has none');
  }

  extend(items: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Inert) return;
    if (!Array.isArray(list)) this.refuse('appends to a value that is not a list');
    for (const item of items) list.push(item);
  }

  setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (map instanceof Inert) return;
    if (!(map instanceof Map)) this.refuse('sets an entry of a value that is not a dict');
    if (items.length % 2 > 0) this.refuse('has a key without a value');
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (set instanceof Inert) return;
    if (!(set instanceof Set)) this.refuse('adds to a value that is not a set');
    for (const item of items) set.add(item);
  }

  recall(key: number): void {
    if (!this.memo.has(key)) this.refuse(`recalls value ${key}, which was never stored`);
    this.push(this.memo.get(key));
  }

  protocol(): void {
    const version = this.cursor.byte();
    if (version < 2 || version > 5) this.refuse(`has protocol ${version}, but expected 2 to 5`);
  }
}

const stop = 0x2e;
const newline = 0x0a;
const uint16 = (vm: Machine): number => vm.cursor.view(2).getUint16(0, true);
const uint32 = (vm: Machine): number => vm.cursor.view(4).getUint32(0, true);
const uint64 = (vm: Machine): number => vm.cursor.count64('a length in its pickle');

/** By opcode. The comments give the names in Python's `pickletools`. */
const instructions: Readonly<Record<number, (vm: Machine) => void>> = {
  128: (vm) => vm.protocol(), // PROTO
  149: uint64, // FRAME: a read-ahead hint, ignored
  40: (vm) => vm.marks.push(vm.stack.length), // MARK
  48: (vm) => vm.pop(), // POP
  49: (vm) => vm.popMark(), // POP_MARK
  50: (vm) => vm.push(vm.top()), // DUP
  78: (vm) => vm.push(null), // NONE
  136: (vm) => vm.push(true), // NEWTRUE
  137: (vm) => vm.push(false), // NEWFALSE
  74: (vm) => vm.push(vm.cursor.int32()), // BININT
  75: (vm) => vm.push(vm.cursor.byte()), // BININT1
  77: (vm) => vm.push(uint16(vm)), // BININT2
  138: (vm) => vm.pushInteger(vm.cursor.byte()), // LONG1
  139: (vm) => vm.pushInteger(vm.cursor.int32()), // LONG4
  71: (vm) => vm.push(vm.cursor.view(8).getFloat64(0)), // BINFLOAT
  85: (vm) => vm.pushText(vm.cursor.byte(), 'latin1'), // SHORT_BINSTRING: Python 2
  84: (vm) => vm.pushText(vm.cursor.int32(), 'latin1'), // BINSTRING
  140: (vm) => vm.pushText(vm.cursor.byte(), 'utf-8'), // SHORT_BINUNICODE
  88: (vm) => vm.pushText(uint32(vm), 'utf-8'), // BINUNICODE
  141: (vm) => vm.pushText(uint64(vm), 'utf-8'), // BINUNICODE8
  67: (vm) => vm.pushBytes(vm.cursor.byte()), // SHORT_BINBYTES
  66: (vm) => vm.pushBytes(uint32(vm)), // BINBYTES
  142: (vm) => vm.pushBytes(uint64(vm)), // BINBYTES8
  150: (vm) => vm.pushBytes(uint64(vm)), // BYTEARRAY8
  93: (vm) => vm.make([]), // EMPTY_LIST
  97: (vm) => vm.extend([vm.pop()]), // APPEND
  101: (vm) => vm.extend(vm.popMark()), // APPENDS
  108: (vm) => vm.make(vm.popMark()), // LIST
  41: (vm) => vm.popTuple(0), // EMPTY_TUPLE
  133: (vm) => vm.popTuple(1), // TUPLE1
  134: (vm) => vm.popTuple(2), // TUPLE2
  135: (vm) => vm.popTuple(3), // TUPLE3
  116: (vm) => vm.make(new Tuple(vm.popMark())), // TUPLE
  125: (vm) => vm.make(new Map()), // EMPTY_DICT
  115: (vm) => vm.setItems([vm.pop(), vm.pop()].reverse()), // SETITEM
  117: (vm) => vm.setItems(vm.popMark()), // SETITEMS
  143: (vm) => vm.make(new Set()), // EMPTY_SET
  144: (vm) => vm.addItems(vm.popMark()), // ADDITEMS
  145: (vm) => vm.make(new Set(vm.popMark())), // FROZENSET
  104: (vm) => vm.recall(vm.cursor.byte()), // BINGET
  106: (vm) => vm.recall(uint32(vm)), // LONG_BINGET
  113: (vm) => vm.memo.set(vm.cursor.byte(), vm.top()), // BINPUT
  114: (vm) => vm.memo.set(uint32(vm), vm.top()), // LONG_BINPUT
  148: (vm) => vm.memo.set(vm.memo.size, vm.top()), // MEMOIZE
  99: (vm) => vm.pushNamed(vm.line(), vm.line()), // GLOBAL
  147: (vm) => vm.pushNamed(...([vm.pop(), vm.pop()].reverse() as [unknown, unknown])), // STACK_GLOBAL
  82: callPopped, // REDUCE
  129: callPopped, // NEWOBJ
  146: (vm) => callPopped(vm, vm.pop()), // NEWOBJ_EX: with keyword arguments, which no function here takes
  98: (vm) => vm.build(), // BUILD
  81: (vm) => vm.push(vm.names.persistent(vm.pop())), // BINPERSID
};

/** @param _keywords popped before the arguments. */
function callPopped(vm: Machine, _keywords?: unknown): void {
  const args = vm.pop();
  vm.call(vm.pop(), args);
}

/** All entry points of the built package together, for Node or for browsers. */
import * as resnext from 'resnext';
import * as data from 'resnext/data';
import * as graph from 'resnext/graph';
import * as train from 'resnext/train';
import * as weights from 'resnext/weights';

export const everything = { ...resnext, ...data, ...graph, ...train, ...weights };

export type Package = typeof everything;

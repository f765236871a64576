/** How good the model is: on pictures that it was not trained on, by class, with those that it gets wrong. */
import type { Prediction, Progress } from './progress.ts';
import type { PictureClass, Project } from './project.ts';
import type { ProjectState } from './use-project.ts';

/** A cell of the confusion matrix: indices of the true and the predicted class. */
export type Cell = readonly [label: number, predicted: number];

interface ResultsProps {
  readonly project: Project;
  readonly progress: Progress;
  readonly state: ProjectState;
  /** The chosen cell; undefined is all that is wrong. */
  readonly cell: Cell | undefined;
  readonly onCell: (cell: Cell | undefined) => void;
}

/** The number of pictures of a class from which a percentage means something. */
const enough = 10;

export function Results({ project, progress, state, cell, onCell }: ResultsProps) {
  const { best, history } = progress;
  if (!best) return null;
  const { predictions } = best;
  const { classes } = project;
  const correct = predictions.filter(({ label, predicted }) => label === predicted).length;
  const { phase } = history[best.epoch]!;
  const few = classes.filter((_, k) => predictions.filter(({ label }) => label === k).length < enough);
  const shown = predictions.filter(({ label, predicted }) =>
    cell ? label === cell[0] && predicted === cell[1] : label !== predicted,
  );
  return (
    <section aria-labelledby="results">
      <h2 id="results">How good it is</h2>
      {predictions.length === 0 ? (
        <p>No picture was held out, so nothing says how good it is. Give each class three pictures or more.</p>
      ) : (
        <>
          <p>
            <strong>
              {correct} of {predictions.length}
            </strong>{' '}
            pictures that were held out are right with the best model, that of epoch {best.epoch + 1} (
            {phase === 'probe' ? 'the classifier alone' : 'the whole network'}).{' '}
            {few.length > 0 &&
              `That is few: with fewer than ${enough} of a class held out, the next pictures may well do better or worse.`}
          </p>
          <Confusion {...{ classes, predictions, cell, onCell }} />
          <h3>
            {cell
              ? `${classes[cell[0]]?.name} that it calls ${classes[cell[1]]?.name}`
              : `Wrong pictures: ${shown.length || 'none'}`}
          </h3>
          <ul class="wrong">
            {shown.map((each) => (
              <Shown key={each.id} {...each} {...{ classes, project, state }} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

interface ConfusionProps {
  readonly classes: readonly PictureClass[];
  readonly predictions: readonly Prediction[];
  readonly cell: Cell | undefined;
  readonly onCell: (cell: Cell | undefined) => void;
}

function Confusion({ classes, predictions, cell, onCell }: ConfusionProps) {
  const count = (label: number, predicted: number) =>
    predictions.filter((each) => each.label === label && each.predicted === predicted).length;
  return (
    <div class="scroll">
      <p class="small" id="confusion">
        What each class was taken for. Choose a number to see its pictures.
      </p>
      <table class="confusion" aria-labelledby="confusion">
        <thead>
          <tr>
            <td />
            {classes.map(({ id, name }) => (
              <th key={id} scope="col">
                {name}
              </th>
            ))}
            <th scope="col">right</th>
          </tr>
        </thead>
        <tbody>
          {classes.map(({ id, name }, label) => {
            const total = predictions.filter((each) => each.label === label).length;
            return (
              <tr key={id}>
                <th scope="row">{name}</th>
                {classes.map((other, predicted) => {
                  const number = count(label, predicted);
                  const isChosen = cell !== undefined && cell[0] === label && cell[1] === predicted;
                  const strength = total === 0 ? 0 : number / total;
                  return (
                    <td
                      key={other.id}
                      class={label === predicted ? 'right' : 'mistaken'}
                      style={{ '--strength': `${Math.round(60 * strength)}%` }}
                    >
                      {number === 0 ? (
                        <span class="zero">0</span>
                      ) : (
                        <button
                          type="button"
                          aria-pressed={isChosen}
                          aria-label={`${name}, called ${other.name}: ${number}`}
                          onClick={() => onCell(isChosen ? undefined : [label, predicted])}
                        >
                          {number}
                        </button>
                      )}
                    </td>
                  );
                })}
                <td>{total === 0 ? '–' : `${Math.round((100 * count(label, label)) / total)} %`}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface ShownProps extends Prediction {
  readonly classes: readonly PictureClass[];
  readonly project: Project;
  readonly state: ProjectState;
}

/** A picture, what it is and was taken for; it can be removed, or moved to another class. */
function Shown({ id, label, predicted, probability, classes, project, state }: ShownProps) {
  const picture = project.pictures.find((each) => each.id === id);
  if (!picture) return null;
  return (
    <li>
      <img src={state.urls.get(id)} alt={picture.name} width={112} height={112} loading="lazy" />
      <p class="small">
        {classes[label]?.name}, taken for {classes[predicted]?.name} ({Math.round(100 * probability)} %)
      </p>
      <select
        aria-label={`Class of ${picture.name}`}
        value={picture.of}
        onChange={({ currentTarget }) => {
          const to = classes.find((each) => each.id === Number(currentTarget.value));
          if (to) void state.move(id, to);
        }}
      >
        {classes.map((each) => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </select>
      <button type="button" onClick={() => void state.removePictures(new Set([id]))}>
        Remove
      </button>
    </li>
  );
}

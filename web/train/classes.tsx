/** The classes as cards: a name, pictures, and ways to add more. */
import { useState } from 'preact/hooks';
import { Camera } from '../controls/camera.tsx';
import { FileButton } from '../controls/files.tsx';
import { type PictureClass, type Project, picturesOf } from './project.ts';
import type { ProjectState } from './use-project.ts';

export function Classes({ project, state }: { readonly project: Project; readonly state: ProjectState }) {
  const [name, setName] = useState('');
  return (
    <section class="pictures" aria-labelledby="pictures">
      <h2 id="pictures">Pictures</h2>
      <div class="line">
        <FileButton label="Choose a folder" isFolder onFiles={(found) => void state.addPictures(found)} />
        <p class="small">A folder of folders: each one is a class. Or drop it anywhere on the page.</p>
      </div>
      <form
        class="line"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() === '') return;
          void state.addClass(name.trim());
          setName('');
        }}
      >
        <input
          type="text"
          value={name}
          aria-label="Name of a new class"
          placeholder="Name of a class"
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
        <button type="submit">Add a class</button>
      </form>
      <p class="small" role="status">
        {state.adding !== undefined && `${state.adding}…`}
      </p>
      {state.problem !== undefined && (
        <p class="problem" role="alert">
          {state.problem}
        </p>
      )}
      <ul class="cards">
        {project.classes.map((each) => (
          <Card key={each.id} {...{ project, state }} own={each} />
        ))}
      </ul>
    </section>
  );
}

/** So many pictures of a class are drawn, the last that were added. */
const thumbs = 17;

interface CardProps {
  readonly project: Project;
  readonly state: ProjectState;
  readonly own: PictureClass;
}

function Card({ project, state, own }: CardProps) {
  const pictures = picturesOf(project, own);
  const { length } = pictures;
  return (
    <li class="card">
      <div class="line">
        <input
          type="text"
          value={own.name}
          aria-label={`Name of class ${own.name}`}
          onChange={({ currentTarget }) => void state.rename(own, currentTarget.value.trim() || own.name)}
        />
        <span class="small">{length === 1 ? '1 picture' : `${length} pictures`}</span>
      </div>
      <div class="thumbs" role="img" aria-label={`The pictures of ${own.name}`}>
        {pictures.slice(-thumbs).map(({ id }) => (
          <img key={id} src={state.urls.get(id)} alt="" width={48} height={48} />
        ))}
        {length > thumbs && <span class="small">and {length - thumbs} more</span>}
      </div>
      <div class="line">
        <FileButton
          label={`Add to ${own.name}`}
          accept="image/*"
          onFiles={(found) => void state.addPictures(found, own)}
        />
        <Camera
          action={`Take one of ${own.name}`}
          onPicture={(blob) => {
            const file = new File([blob], `camera-${project.next}.jpg`, { type: blob.type });
            void state.addPictures([{ file, path: file.name }], own);
          }}
        />
        <button
          type="button"
          onClick={() => {
            const isSure = length === 0 || confirm(`Remove class ${own.name} and its ${length} pictures?`);
            if (isSure) void state.removeClass(own);
          }}
        >
          Remove {own.name}
        </button>
      </div>
    </li>
  );
}

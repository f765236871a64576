/** A picture with the heat of a class over it. What the network did not see is dark. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { StopsSlider } from '../controls/controls.tsx';
import type { Look } from './model.ts';
import type { Entry } from './session.ts';

interface SeenProps {
  readonly entry: Entry;
  readonly look: Look | undefined;
  readonly label: string | undefined;
}

const strengths = [0, 25, 50, 75, 100];

export function Seen({ entry, look, label }: SeenProps) {
  const [strength, setStrength] = useState(100);
  const name = look ? `${entry.name}, with heat where the network sees ${look.label}` : entry.name;
  return (
    <figure class="seen">
      <div class="layers" role="img" aria-label={name}>
        {look ? (
          <>
            <Bitmap bitmap={look.plain} />
            <Bitmap bitmap={look.heat} opacity={strength / 100} />
          </>
        ) : (
          <img src={entry.url} alt="" />
        )}
      </div>
      <figcaption>
        <StopsSlider
          label={look ? `Heat: where it sees ${look.label}` : `Heat${label === undefined ? '' : `: ${label}`}`}
          stops={strengths}
          value={strength}
          format={(value) => `${value} %`}
          onChange={setStrength}
          isDisabled={!look}
        />
        <p class="small">
          Grad-CAM: how much each place adds to the class, by the gradient of its score. Bright is most.
        </p>
      </figcaption>
    </figure>
  );
}

function Bitmap({ bitmap, opacity = 1 }: { readonly bitmap: ImageBitmap; readonly opacity?: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => canvas.current!.getContext('2d')!.drawImage(bitmap, 0, 0), [bitmap]);
  return <canvas ref={canvas} width={bitmap.width} height={bitmap.height} style={{ opacity }} />;
}

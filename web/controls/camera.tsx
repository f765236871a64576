/** Pictures from the camera, where there is one. It is on only between two presses of its button. */
import { useEffect, useRef, useState } from 'preact/hooks';

interface CameraProps {
  /** The name of the button that takes a picture. */
  readonly action: string;
  readonly onPicture: (picture: Blob) => void;
}

export function Camera({ action, onPicture }: CameraProps) {
  const isThere = useCameraPresence();
  const video = useRef<HTMLVideoElement>(null);
  const [stream, setStream] = useState<MediaStream>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    if (video.current) video.current.srcObject = stream ?? null;
    return () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
  }, [stream]);
  if (!isThere) return null;
  const start = async () => {
    setProblem(undefined);
    try {
      setStream(await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }));
    } catch (error) {
      setProblem(`The camera did not start: ${(error as Error).message}. Allow it for this page, or choose files.`);
    }
  };
  return (
    <div class="camera">
      <div class="line">
        {stream && (
          <button type="button" class="main" onClick={async () => onPicture(await frameOf(video.current!))}>
            {action}
          </button>
        )}
        <button type="button" onClick={() => (stream ? setStream(undefined) : start())}>
          {stream ? 'Turn the camera off' : 'Use the camera'}
        </button>
      </div>
      {stream && (
        <>
          <video ref={video} muted playsInline autoPlay aria-label="What the camera sees" />
          <p class="small" role="status">
            The camera is on. Its pictures stay in this page.
          </p>
        </>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

/** Whether there is a camera, which can be told without asking for it. */
function useCameraPresence(): boolean {
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    navigator.mediaDevices?.enumerateDevices().then(
      (devices) => setThere(devices.some(({ kind }) => kind === 'videoinput')),
      () => setThere(false),
    );
  }, []);
  return isThere;
}

async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext('2d')!.drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
}

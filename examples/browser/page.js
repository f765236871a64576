/** Names pictures with the model that ships with the package. The pictures do not leave the page. */
import { Classifier } from 'resnext';
import cifar10 from 'resnext/models/cifar10/model.safetensors?url'; // the URL at which Vite serves the file

const [message, picture, classes] = ['message', 'picture', 'classes'].map((id) => document.getElementById(id));

const opening = Classifier.open(cifar10);
opening.then(() => say('The model is ready.'), explain);

document.querySelector('input').addEventListener('change', ({ target }) => name(target.files[0]));
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  name(event.dataTransfer.files[0]);
});

/** Shows a picture and its five most probable classes. */
async function name(file) {
  if (!file) return;
  try {
    const classifier = await opening;
    const began = performance.now();
    const predictions = await classifier.classify(file, { top: 5 });
    say(`That took ${(performance.now() - began).toFixed(0)} ms.`);
    show(file, predictions);
  } catch (error) {
    explain(error);
  }
}

function show(file, predictions) {
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.alt = file.name;
  picture.hidden = false;
  classes.replaceChildren();
  for (const { label, probability } of predictions) {
    const row = classes.insertRow();
    row.insertCell().textContent = label;
    row.insertCell().textContent = `${(100 * probability).toFixed(1)} %`;
  }
}

function say(text) {
  message.textContent = text;
}

/** The library's errors are sentences for whoever uses the page. */
function explain(error) {
  say(error.message);
}

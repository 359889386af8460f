#!/usr/bin/env python3
"""Runs the classifier beside this file on pictures.

    pip install -r requirements.txt
    python predict.py PICTURE...          label and probability of each picture
    python predict.py --json PICTURE...   all probabilities, as one JSON document

In a program of your own:

    from predict import Classifier
    classifier = Classifier()
    result = classifier.predict("picture.jpg")
    print(result["label"], result["probability"], result["sure"])
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).resolve().parent


def to_srgb(picture):
    """Colours as sRGB: what the colour profile inside the file says is applied, as on the screen."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass  # A profile that does not fit its picture is left out.
    if picture.mode.startswith("I;16") or picture.mode == "I":
        eight_bits = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(eight_bits).convert("RGB")
    return picture.convert("RGB")


def decode_picture(file, background=(255, 255, 255)):
    """A picture file as uint8 [height, width, 3]: upright, sRGB, transparent places filled with the background."""
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
            profile = picture.info.get("icc_profile")
            picture = picture.convert("RGBA")
            filled = Image.new("RGBA", picture.size, tuple(background) + (255,))
            picture = Image.alpha_composite(filled, picture).convert("RGB")
            picture.info["icc_profile"] = profile
        return np.asarray(to_srgb(picture))


class Classifier:
    """The network of a folder (the one this file is in when none is given)."""

    def __init__(self, folder=HERE):
        self.about = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
        self.labels = self.about["labels"]
        self.threshold = self.about["threshold"]
        self.session = onnxruntime.InferenceSession(str(Path(folder) / self.about["file"]))

    def predict_pixels(self, pixels):
        """uint8 [height, width, 3], red, green, blue, of any size. Resizing is part of the network."""
        feeds = {self.about["input"]["name"]: np.ascontiguousarray(pixels, dtype=np.uint8)}
        (probabilities,) = self.session.run([self.about["output"]["name"]], feeds)
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        return {
            "label": self.labels[best],
            "probability": probability,
            # Below the threshold the answer is "not sure".
            "sure": probability >= self.threshold,
            "probabilities": {label: float(p) for label, p in zip(self.labels, probabilities)},
        }

    def predict(self, file):
        return self.predict_pixels(decode_picture(file, self.about["preprocessing"]["background"]))


def main(arguments):
    as_json = "--json" in arguments
    files = [argument for argument in arguments if argument != "--json"]
    if not files:
        print("Usage: python predict.py [--json] PICTURE...", file=sys.stderr)
        return 2
    classifier = Classifier()
    results = []
    for file in files:
        result = classifier.predict(file)
        results.append({"file": file, **result})
        if not as_json:
            label = result["label"] if result["sure"] else f"not sure ({result['label']}?)"
            print(f"{file}\t{label}\t{result['probability']:.4f}")
    if as_json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

; The masks of many photos, each a grey PNG, white where the subject is.
;
;     gimp-console -i --quit --batch-interpreter=plug-in-script-fu-eval -b \
;         '(begin (load "masks.scm") (cutaway-masks "photos/*.jpg" "masks"))'
;
; The folder of the results must be there already. A mask that is there already is kept. A photo
; that fails is told of, and the others go on.

(script-fu-use-v3)

(define (cutaway-masks photos folder)
  (for-each
    (lambda (photo)
      (let ((result (cutaway-mask-path photo folder)))
        (if (not (or (file-exists? result) (catch #f (cutaway-mask photo result))))
            (gimp-message (string-append "No mask of " photo)))))
    (file-glob #:pattern photos)))

; Whether it was done; GIMP itself tells what went wrong.
(define (cutaway-mask photo result)
  (let* ((image (gimp-file-load RUN-NONINTERACTIVE photo))
         (layers (gimp-image-get-layers image))
         (done
           (catch #f
             (plug-in-cutaway-remove-background
               #:image image #:drawables layers #:output "grey-layer")
             (gimp-image-flatten image)
             (if (= (gimp-image-get-base-type image) RGB) (gimp-image-convert-grayscale image))
             (file-png-export #:image image #:file result)
             #t)))
    (gimp-image-delete image)
    done))

; "photos/tea.jpg" and "masks" make "masks/tea.png".
(define (cutaway-mask-path photo folder)
  (let* ((name (car (reverse (strbreakup photo "/"))))
         (stem (reverse (cdr (reverse (strbreakup name "."))))))
    (string-append folder "/" (unbreakupstr stem ".") ".png")))
